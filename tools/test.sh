# Sourced by ./dev: the tests, in two worlds: this machine, and the chroot for the Pythons it lacks.

test_every_world() {
    status=0
    results=
    tested=

    in_every_world || status=1
    # Not at every turn of a developer: it takes a minute by itself.
    [ "${CI:-}" != true ] || fuzz_reader 60 || status=1
    conclude
}

in_every_world() {
    test_here
    host=$?
    test_in_chroot && return $host
}

# What was not tested, what failed, and the counts.
conclude() {
    echo
    note_untested || status=1
    # shellcheck disable=SC2086 # a list of words
    "$PYTHON" tools/tally.py $results || status=1
    return $status
}

# as_test NAME COMMAND …: a command that counts as one test.
as_test() {
    name=$1
    shift
    say "$name"
    results="$results build/as-test-$name.xml"
    outcome=
    code=0
    "$@" || code=1
    [ $code = 0 ] || outcome='<failure/>'
    echo "<testsuite><testcase classname=\"dev\" name=\"$name\">$outcome</testcase></testsuite>" \
        >"build/as-test-$name.xml"
    return $code
}

# fuzz_reader SECONDS
fuzz_reader() {
    [ -x tests/fuzz/run.sh ] || return 0
    have clang || (install_packages ' clang libclang-rt-dev') || return
    as_test fuzz tests/fuzz/run.sh "$1"
}

test_here() {
    pythons=$(pythons_here :)
    tested="$tested $(printf '%s\n' "$here" | cut -d ' ' -f 1 | paste -sd ' ' -)"
    results="$results build/c-tests.xml build/py-tests.xml"
    rm -f build/c-tests.xml build/py-tests.xml
    # Warnings are errors in CI; not in the chroot, whose compiler finds new ones every month.
    strict=
    [ "${CI:-}" != true ] || strict=-Dwerror=true
    tools/build build "-Dpythons=$(pythons_here ,)" ${strict:+"$strict"} && tools/check build "$pythons"
}

# The interpreters of the chroot: sets $versions and $pythons. Status 1: there are none that can be run.
look_into_chroot() {
    versions=$(tools/pythons | grep ' chroot:' | cut -d ' ' -f 1 | paste -sd ' ' -)
    pythons=$(tools/pythons | grep ' chroot:' | cut -d ' ' -f 3 | paste -sd : -)
    [ -n "$pythons" ] || return 1
    if ! tools/sid run true; then
        say "the chroot cannot be entered (root is needed)"
        return 1
    fi
}

wheel_in_chroot() {
    look_into_chroot || return 0
    # shellcheck disable=SC2046 # a list of words
    tools/sid run env -u MESON -u NINJA -u PYTHON tools/wheel auto $(echo "$pythons" | tr : ' ')
}

test_in_chroot() {
    if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ]; then
        tools/sid make || return 0 # what is untested is said at the end
    fi
    look_into_chroot || return 0
    tested="$tested $versions"
    results="$results build-sid/c-tests.xml build-sid/py-tests.xml"
    rm -f build-sid/c-tests.xml build-sid/py-tests.xml
    comma=$(echo "$pythons" | tr : ,)
    # Not this environment's tools: the chroot has its own.
    tools/sid run env -u MESON -u NINJA -u PYTHON sh -c \
        'tools/build build-sid "-Dpythons=$1" && tools/check build-sid "$2"' sid "$comma" "$pythons"
}

# Say loudly which versions were not tested. In CI 3.11 to 3.13 are required, with ASSAY_REQUIRE_ALL=1 3.14 and 3.15 too.
note_untested() {
    enough=true
    for version in $SUPPORTED; do
        case " $tested " in
        *" $version "*) continue ;;
        esac
        required=${ASSAY_REQUIRE_ALL:-}
        case $version in
        3.11 | 3.12 | 3.13)
            how='install it, with its headers'
            [ "${CI:-}" != true ] || required=1
            ;;
        *t)
            how='tools/pythons --make-freethreaded'
            required=
            ;;
        *) how='tools/pythons --make' ;;
        esac
        echo "NOT TESTED: Python $version is not here ($how)"
        [ "$required" != 1 ] || enough=false
    done
    $enough
}

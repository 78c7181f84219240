# Sourced by ./dev: the benchmark tables, for each Python of this machine, then for those of the chroot.

bench() {
    tools/build build "-Dpythons=$(pythons_here ,)"
    # shellcheck disable=SC2046 # lists of words
    benchmarks "$PYTHON" $(pythons_here ' ') -- "$@"
    pythons=$(tools/pythons | grep ' chroot:' | cut -d ' ' -f 3 | paste -sd ' ' -)
    if [ -n "$pythons" ] && tools/sid run true; then
        # shellcheck disable=SC2086 # lists of words
        tools/sid run env -u MESON -u NINJA -u PYTHON ASSAY_BUILD=build-sid sh -c '
            . tools/lib.sh && . tools/bench.sh
            tools/build build-sid "-Dpythons=$1" && shift && benchmarks python3 "$@"
        ' sid "$(echo $pythons | tr ' ' ,)" $pythons -- "$@"
    fi
}

# benchmarks RUNNER PYTHON … -- OPTION …
benchmarks() {
    runner=$1
    shift
    pythons=
    while [ "$1" != -- ]; do
        pythons="$pythons $1"
        shift
    done
    shift
    for script in bench/calls.py bench/accuracy.py bench/files.py bench/processes.py; do
        # shellcheck disable=SC2086 # a list of words
        "$runner" "$script" --python $pythons "$@"
    done
}

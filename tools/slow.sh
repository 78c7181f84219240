# Sourced by ./dev: what takes too long for every change. Each step says its name and goes on after a failure.

slow_status=0
slow_failed=

step() {
    name=$1
    shift
    say "== $name"
    if ! "$@"; then
        slow_status=1
        slow_failed="$slow_failed
FAILED $name"
    fi
}

# sanitized NAME SANITIZERS [WRAPPER]: the C tests under sanitizers. Agents are built, not loaded: a Python
# would have to be sanitized too.
sanitized() {
    tools/build "build-$1" -Dbuildtype=debugoptimized "-Db_sanitize=$2" -Db_lundef=false \
        -Dc_args=-fno-sanitize-recover=all "-Dpythons=$(host_python)" &&
        "$MESON" test -C "build-$1" --no-rebuild --print-errorlogs --timeout-multiplier 10 ${3:+--wrapper "$3"}
}

asan() { sanitized asan address,undefined; }
# Without address randomisation: gcc's TSan does not know the layout of newer kernels.
tsan() { sanitized tsan thread 'setarch -R'; }

slow_tests() {
    ls tests/slow/test_*.py >/dev/null 2>&1 || return 0
    ASSAY_TEST_PYTHONS=$(pythons_here :) ASSAY_BUILD=build "$PYTHON" -m pytest -c pyproject.toml tests/slow
}

test_all() {
    step 'tests' test_every_world
    step 'AddressSanitizer and UBSan' asan
    step 'ThreadSanitizer' tsan
    step 'aarch64' tools/aarch64
    step 'slow tests' slow_tests
    step 'lint' "$0" lint
    [ $slow_status = 0 ] && echo "all passed" || echo "$slow_failed"
    return $slow_status
}

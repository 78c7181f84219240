# Sourced by ./dev after tools/test.sh: what takes too long for every change.

# sanitized NAME SANITIZERS [WRAPPER]: the C tests under sanitizers.
sanitized() {
    tools/build "build-$1" -Dbuildtype=debugoptimized "-Db_sanitize=$2" -Db_lundef=false \
        -Dc_args=-fno-sanitize-recover=all "-Dpythons=$(host_python)" &&
        "$MESON" test -C "build-$1" --no-rebuild --print-errorlogs --timeout-multiplier 10 ${3:+--wrapper "$3"}
}

# The agent too, in a Python that is not sanitized itself: the runtime is preloaded, Python allocates by malloc. Left out are tests whose
# Pythons are started without that environment.
asan() {
    sanitized asan address,undefined || return
    LD_PRELOAD=$(realpath "$("${CC:-cc}" -print-file-name=libasan.so)") ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
        ASSAY_BUILD=build-asan ASSAY_TEST_PYTHONS=$(host_python) "$PYTHON" -m pytest -q \
        tests/py/test_calls.py tests/py/test_tags.py tests/py/test_thread_storm.py tests/py/test_dropin.py \
        -k 'not overflows_no_stack and not leak_nothing and not nothing_is_measured and not brings_nothing_else and not without_an_agent and not windows and not of_a_profile'
}
# Without address randomisation: gcc's TSan does not know the layout of newer kernels.
tsan() { sanitized tsan thread 'setarch -R'; }

# The slow Python tests, and every module of CPython's own tests that the project lists.
slow_tests() {
    ASSAY_TEST_PYTHONS=$(pythons_here :) ASSAY_BUILD=build "$PYTHON" -m pytest -c pyproject.toml tests/slow
}

test_all() {
    ASSAY_TEST_ALL=1 # tests/py: 200 kills, and all of the standard library's tests
    export ASSAY_TEST_ALL
    status=0
    results=
    tested=

    in_every_world || status=1
    as_test lint "$0" lint || status=1
    as_test asan asan || status=1
    as_test tsan tsan || status=1
    as_test aarch64 tools/aarch64 || status=1
    [ ! -d tests/slow ] || as_test slow slow_tests || status=1
    fuzz_reader 600 || status=1
    conclude
}

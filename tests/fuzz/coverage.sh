#!/bin/sh
# coverage.sh: how much of the reader the tests and the fuzzing corpus cover, by gcov. Under 90 % of the lines is an error.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
out=$root/build-coverage
rm -rf "$out"
mkdir "$out"
cd "$out"
flags="-O0 -g -std=gnu11 -D_GNU_SOURCE --coverage -I$root/native -I$root/tests/c/record"
# shellcheck disable=SC2086 # lists of words
gcc $flags -c "$root"/native/record/*.c "$root/native/core/status.c" \
    "$root/native/core/clock.c" "$root/native/os/linux.c"
libs="*.o $(pkg-config --libs libzstd cmocka)"
for test in roundtrip damage hostile failure format pstats; do
    extra=
    if [ $test = failure ]; then
        extra="$root/tests/c/record/wrapped.c"
        for name in malloc calloc realloc read write ZSTD_createCCtx ZSTD_createDCtx; do
            extra="$extra -Wl,--wrap=$name"
        done
    fi
    # shellcheck disable=SC2086
    gcc $flags -o "$test" "$root/tests/c/record/${test}_test.c" "$root"/tests/c/record/sample.c \
        "$root/tests/c/record/invariants.c" "$root/tests/c/record/craft.c" $extra $libs
    ASSAY_SOURCE=$root "./$test" >"$test.log" 2>&1 || {
        cat "$test.log" >&2
        exit 1
    }
done
# shellcheck disable=SC2086
gcc $flags -o corpus "$root/tests/fuzz/fuzz_profile.c" "$root/tests/c/record/invariants.c" "$root/tests/c/record/craft.c" $libs
./corpus "$root"/tests/fuzz/corpus/*
# shellcheck disable=SC2086
gcc $flags -o pstats_corpus "$root/tests/fuzz/fuzz_pstats.c" $libs
./pstats_corpus "$root"/tests/fuzz/pstats/*
status=0
for file in reader rows columns builder profile text crc buffer marshal intern pstats pstats_file; do
    share=$(gcov -n "$file.gcda" | grep -A1 "^File '$root/native/record/$file.c'" | sed -n 's/^Lines executed:\([0-9]*\).*/\1/p')
    echo "$file.c: $share % of its lines"
    [ "${share:-0}" -ge 90 ] || status=1
done
exit $status

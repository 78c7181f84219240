#!/bin/sh
# run.sh SECONDS [minimise]: fuzz the readers of recordings and of pstats files with libFuzzer (clang), half of the time each,
# beginning with tests/fuzz/corpus and tests/fuzz/pstats.
# What fails is left in build-fuzz; `minimise` then puts a small corpus in these directories.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:?"usage: tests/fuzz/run.sh SECONDS [minimise]"}
minimise=${2:-}
command -v clang >/dev/null || {
    echo "fuzzing needs clang" >&2
    exit 2
}
out=build-fuzz

# fuzz NAME CORPUS SOURCE …: fuzz_NAME, whose sources beside the readers' are named.
fuzz() {
    target=$out/fuzz_$1
    corpus=$2
    grown=$out/$(basename "$corpus")
    shift 2
    mkdir -p "$grown"
    # shellcheck disable=SC2046 # lists of words
    clang -g -O2 -std=gnu11 -D_GNU_SOURCE -DFUZZING -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
        -Inative -Itests/c/record "$@" native/record/*.c native/core/status.c native/core/clock.c native/os/linux.c \
        $(pkg-config --cflags --libs libzstd) -o "$target"
    # A hostile file of 64 KiB may take 265 MB (docs/format.md, "Limits"), more with the sanitizers; beyond 1 GiB something is wrong.
    "$target" -max_total_time=$(((seconds + 1) / 2)) -max_len=65536 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -verbosity="${VERBOSITY:-0}" -artifact_prefix=$out/ "$grown" "$corpus"
    [ "$minimise" != minimise ] || keep_small
}

# Only inputs of up to 2 KiB are kept: small ones say as much, and there are many.
keep_small() {
    rm -rf $out/small $out/minimal
    mkdir $out/small $out/minimal
    find "$corpus" "$grown" -type f -size -2049c -exec cp {} $out/small/ \;
    "$target" -merge=1 -rss_limit_mb=1024 $out/minimal $out/small
    find "$corpus" -type f ! -name 'seed-*' -exec rm -f {} +
    for file in $out/minimal/*; do
        case $file in
        */seed-*) ;;
        *) cp "$file" "$corpus/" ;;
        esac
    done
}

fuzz profile tests/fuzz/corpus tests/fuzz/fuzz_profile.c tests/c/record/craft.c tests/c/record/invariants.c
fuzz pstats tests/fuzz/pstats tests/fuzz/fuzz_pstats.c

#!/bin/sh
# run.sh SECONDS [minimise]: fuzz the reader of recordings with libFuzzer (clang), beginning with tests/fuzz/corpus.
# What fails is left in build-fuzz; `minimise` then puts a small corpus in tests/fuzz/corpus.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:?"usage: tests/fuzz/run.sh SECONDS [minimise]"}
command -v clang >/dev/null || {
    echo "fuzzing needs clang" >&2
    exit 2
}
out=build-fuzz
mkdir -p $out/corpus
# shellcheck disable=SC2046 # lists of words
clang -g -O2 -std=gnu11 -D_GNU_SOURCE -DFUZZING -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    -Inative -Itests/c/record tests/fuzz/fuzz_profile.c tests/c/record/craft.c tests/c/record/invariants.c \
    native/record/*.c native/core/status.c $(pkg-config --cflags --libs libzstd) -o $out/fuzz_profile
# A hostile file of 64 KiB may take 265 MB (docs/format.md, "Limits"), more with the sanitizers; beyond 1 GiB something is wrong.
$out/fuzz_profile -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    -verbosity="${VERBOSITY:-0}" -artifact_prefix=$out/ $out/corpus tests/fuzz/corpus
# Only inputs of up to 2 KiB are kept: small ones say as much, and there are many.
if [ "${2:-}" = minimise ]; then
    rm -rf $out/small $out/minimal
    mkdir $out/small $out/minimal
    find tests/fuzz/corpus $out/corpus -type f -size -2049c -exec cp {} $out/small/ \;
    $out/fuzz_profile -merge=1 -rss_limit_mb=1024 $out/minimal $out/small
    find tests/fuzz/corpus -type f ! -name 'seed-*' -exec rm -f {} +
    cp $out/minimal/* tests/fuzz/corpus/
fi

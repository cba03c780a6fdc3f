#!/bin/sh
# libFuzzer on frames, messages and sentences to the transport: check/fuzz_transport.cpp under ASan and UBSan, and nothing may leak.
#
# native/check/fuzz.sh [SECONDS]     a minute by default; needs Clang. What was found stays in native/build/transport/corpus
set -eu
seconds=${1:-60}
here=$(cd "$(dirname "$0")/.." && pwd)
build=$here/build/transport

clang=''
for name in clang++ clang++-19 clang++-16 clang++-14; do
    [ -n "$clang" ] || clang=$(command -v "$name" || true)
done
if [ -z "$clang" ]; then
    echo "the transport's fuzzer needs Clang (Debian: apt install clang libclang-rt-19-dev)" >&2
    exit 1
fi
mkdir -p "$build/corpus"
sources=$(find "$here/transport" "$here/wordpiece" -name '*.cpp' ! -name binding.cpp)
# shellcheck disable=SC2086  a path each
"$clang" -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $sources "$here/check/fuzz_transport.cpp" \
    -o "$build/fuzz" -lnghttp2 -lssl -lcrypto -lz
echo "fuzzer, $seconds s:"
"$build/fuzz" -max_total_time="$seconds" -max_len=4000 -verbosity=0 -print_funcs=0 -print_final_stats=1 \
    -artifact_prefix="$build/" "$build/corpus"

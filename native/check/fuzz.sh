#!/bin/sh
# libFuzzer on frames, messages and sentences to the transport: check/fuzz_transport.cpp under ASan and UBSan, and nothing may leak.
#
# native/check/fuzz.sh [SECONDS]     a minute by default; needs Clang. What was found stays in native/build/transport/corpus
set -eu
seconds=${1:-60}
here=$(cd "$(dirname "$0")/.." && pwd)
build=$here/build/transport

clang=$("$here/check/clang.sh")
mkdir -p "$build/corpus"
sources=$(find "$here/transport" "$here/wordpiece" -name '*.cpp' ! -name binding.cpp)
# shellcheck disable=SC2086  a path each
"$clang" -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $sources "$here/check/fuzz_transport.cpp" \
    -o "$build/fuzz" -lnghttp2 -lssl -lcrypto -lz
echo "fuzzer, $seconds s:"
"$build/fuzz" -max_total_time="$seconds" -max_len=4000 -verbosity=0 -print_funcs=0 -print_final_stats=1 \
    -artifact_prefix="$build/" "$build/corpus"

#!/bin/sh
# libFuzzer under ASan and UBSan, where nothing may leak: frames, messages and sentences to the transport (check/fuzz_transport.cpp),
# requests over HTTP to it (check/fuzz_http.cpp), and requests to the codecs of its fast path (check/fuzz_codecs.cpp).
#
# native/check/fuzz.sh [SECONDS]     each for a minute by default; needs Clang. What was found stays in native/build/transport/corpus
set -eu
seconds=${1:-60}
here=$(cd "$(dirname "$0")/.." && pwd)
build=$here/build/transport
clang=$("$here/check/clang.sh")

fuzz() { # fuzz TARGET SOURCES [OPTION...]
    target=$1 sources=$2
    shift 2
    mkdir -p "$build/corpus/$target"
    # shellcheck disable=SC2086  a path each
    "$clang" -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all $sources \
        "$here/check/fuzz_$target.cpp" -o "$build/fuzz_$target" -lnghttp2 -lllhttp -lyyjson -lssl -lcrypto -lz
    echo "fuzzer of $target, $seconds s:"
    "$build/fuzz_$target" -max_total_time="$seconds" -max_len=4000 -verbosity=0 -print_funcs=0 -print_final_stats=1 \
        -artifact_prefix="$build/" "$@" "$build/corpus/$target"
}

fuzz codecs "$(find "$here/transport" -name 'codec_*.cpp') $here/transport/json_number.cpp $here/transport/shape.cpp" \
    -dict="$here/check/codecs.dict"
fuzz http "$(find "$here/transport" -name '*.cpp' ! -name binding.cpp ! -name fast_path.cpp)" -dict="$here/check/http.dict"
fuzz transport "$(find "$here/transport" "$here/wordpiece" -name '*.cpp' ! -name binding.cpp)"

#!/bin/sh
# libFuzzer under ASan and UBSan, where nothing may leak: frames, messages and sentences to the transport (check/fuzz_transport.cpp),
# requests over HTTP to it (check/fuzz_http.cpp), requests to the codecs of its fast path (check/fuzz_codecs.cpp), and texts to the
# tokenizer (check/fuzz_wordpiece.cpp).
#
# native/check/fuzz.sh [SECONDS]     each for a minute by default; needs Clang. What was found stays in native/build/transport/corpus
set -eu
seconds=${1:-60}
here=$(cd "$(dirname "$0")/.." && pwd)
build=$here/build/transport
clang=$("$here/check/clang.sh")
sanitize=address,undefined
[ "$seconds" -ge 60 ] && level=-O1 || level=-O0 # to optimise takes twice the compiler's time, which a short run doesn't win back
cxx="$clang -std=c++20 -gline-tables-only $level -fno-sanitize-recover=all" # lines are all of -g that a report shows

# What all of them fuzz is compiled once, as two files: most of the compiler's time goes into headers.
compile() {
    mkdir -p "$build"
    for room in transport wordpiece; do
        find "$here/$room" -name '*.cpp' ! -name binding.cpp | sort | sed 's/.*/#include "&"/' >"$build/$room.cpp"
        $cxx -fsanitize=fuzzer-no-link,$sanitize -c "$build/$room.cpp" -o "$build/$room.o"
    done
}

fuzz() { # fuzz TARGET [OPTION...]
    target=$1
    shift
    mkdir -p "$build/corpus/$target"
    $cxx -fsanitize=fuzzer,$sanitize "$here/check/fuzz_$target.cpp" "$build/transport.o" "$build/wordpiece.o" \
        -o "$build/fuzz_$target" -lnghttp2 -lllhttp -lyyjson -lssl -lcrypto -lz
    echo "fuzzer of $target, $seconds s:"
    "$build/fuzz_$target" -max_total_time="$seconds" -max_len=4000 -verbosity=0 -print_funcs=0 -print_final_stats=1 \
        -artifact_prefix="$build/" "$@" "$build/corpus/$target"
}

compile
fuzz codecs -dict="$here/check/codecs.dict"
fuzz http -dict="$here/check/http.dict"
fuzz transport
fuzz wordpiece

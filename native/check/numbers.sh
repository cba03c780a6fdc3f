#!/bin/sh
# An embedding's numbers as responses have them, by check/numbers.cpp: compiled as the transport is, by CXX where that is set.
#
# native/check/numbers.sh                 compares every float32 in JSON with std::to_chars; some minutes
# native/check/numbers.sh ROWS WIDTH      how long the float32 of a file take, WIDTH of them a row (benchmarks/floats.py has rows)
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
build=$here/build/numbers
cxx="${CXX:-g++} -std=c++20 -O2 -ffp-contract=off -Wall -Wextra"
mkdir -p "$build"
printf "#include \"$here/transport/%s.cpp\"\n" codec_embed codec_openai json_body >"$build/codecs.cpp"
$cxx -O3 -fno-math-errno -fno-trapping-math -c "$here/transport/shape.cpp" -o "$build/shape.o"
$cxx "$here/check/numbers.cpp" "$here/transport/json_number.cpp" "$build/codecs.cpp" "$build/shape.o" -o "$build/numbers" -lyyjson -lcrypto
exec "$build/numbers" "$@"

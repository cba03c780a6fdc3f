#!/bin/sh
# Compares every finite float32 in JSON with std::to_chars, by check/numbers.cpp; some minutes. By CXX where that is set.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
build=$here/build/numbers
mkdir -p "$build"
${CXX:-g++} -std=c++20 -O2 -ffp-contract=off -Wall -Wextra "$here/check/numbers.cpp" "$here/transport/json_number.cpp" -o "$build/numbers"
exec "$build/numbers"

#!/bin/sh
# Tests of the transport's parts without sockets, check/units, under ASan and UBSan. They are built where a source has changed.
#
# native/check/units.sh
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
cxx="${CXX:-g++} -std=c++20 -O0 -g1 -fsanitize=address,undefined -fno-sanitize-recover=all"
build=$here/build/units
mkdir -p "$build"
exec 9>"$build/lock" # tests and sanitizers may build them at once
flock 9
if [ ! -e "$build/units" ] || [ -n "$(find "$here/transport" "$here/check/units" -newer "$build/units" \( -name '*.?pp' -o -name turns.txt \))" ]; then
    cd "$build"
    # As two files: most of the compiler's time goes into headers.
    printf "#include \"$here/transport/%s.cpp\"\n" call codec_embed grpc grpc_call http_call http_head job json_number keys line lines peer proxies shape shared tokens trailer turns usage >parts.cpp
    printf "#include \"$here/check/units/%s.cpp\"\n" main calls events frames http lines numbers proxies shards sharing slices >tests.cpp
    $cxx -c parts.cpp & parts=$!
    $cxx -c tests.cpp
    wait $parts
    $cxx parts.o tests.o -o units -lcrypto -lz
fi
"$build/units"

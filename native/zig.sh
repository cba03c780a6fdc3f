#!/bin/sh
# A compiler for one processor and one C library in a folder of its own: cc, c++, ar and ranlib, and toolchain.cmake, which tells CMake of
# them. Clang, libc++ and the C libraries' symbols are those of the `ziglang` wheel; nothing of this machine's is used.
#
# zig.sh PYTHON TARGET FOLDER     TARGET is as zig has it, as aarch64-linux-gnu.2.28; PYTHON is one that has ziglang
set -eu
python=$1
target=$2
folder=$3

zig=$("$python" -c 'import importlib.util as u; print(u.find_spec("ziglang").submodule_search_locations[0])')/zig
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

tool() { # tool NAME WORD...: a command of that name that is zig's, with these words before its own arguments
    name=$1
    shift
    printf '#!/bin/sh\nexec "%s" %s "$@"\n' "$zig" "$*" >"$folder/$name"
    chmod +x "$folder/$name"
}
tool cc cc -target "$target"
tool c++ c++ -target "$target"
tool ar ar
tool ranlib ranlib

{
    # A program for this processor runs here, so CMake isn't told that it compiles for another system.
    [ "${target%%-*}" = "$(uname -m)" ] || printf 'set(CMAKE_SYSTEM_NAME Linux)\nset(CMAKE_SYSTEM_PROCESSOR %s)\n' "${target%%-*}"
    cat <<END
set(CMAKE_C_COMPILER "$folder/cc")
set(CMAKE_CXX_COMPILER "$folder/c++")
set(CMAKE_AR "$folder/ar")
set(CMAKE_RANLIB "$folder/ranlib")
# Libraries and headers are those that were built for the target (CMAKE_PREFIX_PATH), never this machine's.
set(CMAKE_FIND_USE_CMAKE_SYSTEM_PATH FALSE)
END
} >"$folder/toolchain.cmake"

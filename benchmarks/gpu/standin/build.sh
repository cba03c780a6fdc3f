#!/usr/bin/env bash
# build.sh PYTHON FOLDER: onnxruntime-gpu in FOLDER/site, and in FOLDER/lib the stand-in for CUDA 13 that its provider then loads.
# Nothing of NVIDIA's is installed but the headers of CUDA's runtime. Exits with 69 where what it needs can't be had here; any
# other failure is a fault in it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=$1 folder=$2
work=$folder/work site=$folder/site lib=$folder/lib
rm -rf "$work" "$lib" "$folder/.built"
mkdir -p "$work" "$lib"
missing() {
  echo "the stand-in for CUDA can't be built here: $1" >&2
  exit 69
}
fetch() { # fetch FOLDER PACKAGE...
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target "$@" ||
    missing "${*:2} can't be installed"
}
[[ $(uname -sm) == "Linux x86_64" ]] || missing "onnxruntime-gpu's CUDA provider is for Linux on x86_64"
command -v g++ >/dev/null && command -v readelf >/dev/null || missing "there is no C++ compiler (Debian: apt install g++)"
if [[ ! -e $site/.whole ]]; then
  fetch "$site" 'onnxruntime-gpu>=1.28'
  touch "$site/.whole"
fi
fetch "$work/headers" nvidia-cuda-runtime nvidia-cuda-crt
include=$(dirname "$(find "$work/headers" -name cuda_runtime_api.h | head -1)")
provider=$site/onnxruntime/capi/libonnxruntime_providers_cuda.so
make() { # make SONAME SOURCE...
  local soname=$1 name=${1%%.*}
  shift
  g++ -std=c++20 -O3 -march=native -fPIC -shared -I"$here" -isystem "$include" "$@" "$work/$name.stubs.cpp" \
    -Wl,-soname,"$soname" -Wl,--version-script="$work/$name.map" -o "$lib/$soname" -L"$lib" "${needs[@]}"
}
needs=()
sonames=$("$python" "$here/stubs.py" "$work" "$provider")
for soname in $sonames; do
  case $soname in
    libcudart.*) make "$soname" "$here"/{memory,device,kernels}.cpp; needs=(-l:"$soname") ;;
    libcudnn.*) make "$soname" -ffast-math "$here/cudnn.cpp" ;;
    *) make "$soname" ;;
  esac
done
g++ -std=c++20 -O1 -fPIC -shared -I"$here" "$here/driver.cpp" -Wl,-soname,libcuda.so.1 -o "$lib/libcuda.so.1"
cp "$lib/libcuda.so.1" "$lib/libnvidia-ml.so.1"
rm -rf "$work"
touch "$folder/.built"

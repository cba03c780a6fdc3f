#!/usr/bin/env bash
# build.sh PYTHON FOLDER: onnxruntime-gpu in FOLDER/site, and in FOLDER/lib the stand-in for CUDA 13 that its provider then loads.
# Nothing of NVIDIA's is installed but the headers of CUDA's runtime.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=$1 folder=$2
work=$folder/work site=$folder/site lib=$folder/lib
rm -rf "$work" "$lib"
mkdir -p "$work" "$lib"
pip=("$python" -m pip install --quiet --disable-pip-version-check --no-deps --upgrade)
[[ -e $site/onnxruntime ]] || "${pip[@]}" --target "$site" 'onnxruntime-gpu>=1.28'
"${pip[@]}" --target "$work/headers" nvidia-cuda-runtime nvidia-cuda-crt
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

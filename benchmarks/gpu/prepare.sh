#!/usr/bin/env bash
# prepare.sh FOLDER, in the repository's root: what a machine with a GPU and no network needs for the proof, about 110 MB.
# There, in the repository's root: bash FOLDER/proof.sh. That machine's Python brings NVIDIA's CUDA 13 and cuDNN 9, as one with
# PyTorch does. PYTHON_VERSION=3.12 ARCHITECTURE=90 (H100) say what it has.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip=(python3 -m pip download --quiet --disable-pip-version-check --only-binary=:all: --implementation cp
  --python-version "${PYTHON_VERSION:-3.12}")
for glibc in 2_34 2_28 2_27 2_17; do pip+=(--platform "manylinux_${glibc}_x86_64"); done
pip+=(--platform manylinux2014_x86_64)
rm -rf "$folder/wheels"
python3 - pyproject.toml >"$work/requirements" <<'PYTHON'
import sys, tomllib
project = tomllib.load(open(sys.argv[1], "rb"))["project"]
extras = project["optional-dependencies"]
print("\n".join([*project["dependencies"], *extras["server"], "nvidia-ml-py", "onnx"]))
PYTHON
"${pip[@]}" --dest "$folder/wheels" --requirement "$work/requirements"
"${pip[@]}" --dest "$folder/wheels" flatbuffers
"${pip[@]}" --no-deps --dest "$work" 'onnxruntime-gpu>=1.28'
(cd "$work" && python3 -m zipfile -e onnxruntime_gpu-*.whl site)
rm -rf "$work"/site/onnxruntime/{transformers,tools,quantization,datasets,backend} "$work"/site/onnxruntime/capi/{*tensorrt*,libonnxruntime.so.*}
python3 "$here/prune.py" --architecture "${ARCHITECTURE:-90}" "$work/site/onnxruntime/capi/libonnxruntime_providers_cuda.so"
tar --create --directory "$work/site" . | xz --threads=0 -3 >"$folder/onnxruntime.tar.xz"
cp "$here/proof.sh" "$folder"
du --summarize --human-readable "$folder"

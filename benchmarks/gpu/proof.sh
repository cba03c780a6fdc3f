#!/usr/bin/env bash
# In the repository's root, on a machine with a GPU and what prepare.sh made: installs that beside the machine's own packages,
# and runs the proof. $OUT (the folder itself by default) gets proof.txt and proof.json. Whatever follows goes to proof.py.
set -euo pipefail
folder=$(cd "$(dirname "$0")" && pwd)
site=$folder/site out=${OUT:-$folder}
python=$(command -v python3)
if ! [[ -e $site/.whole ]]; then
  rm -rf "$site"
  mkdir -p "$site"
  tar --extract --xz --file "$folder/onnxruntime.tar.xz" --directory "$site"
  "$python" -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$folder"/wheels/*.whl
  # preload_dlls looks for NVIDIA's libraries beside onnxruntime; without its packages the machine's own are found by the loader
  if nvidia=$("$python" -c 'import nvidia; print(list(nvidia.__path__)[0])' 2>/dev/null); then ln -sfn "$nvidia" "$site/nvidia"; fi
  version=$("$python" deploy/release/version.py)
  mkdir -p "$site/bothends-$version.dist-info"
  printf 'Metadata-Version: 2.1\nName: bothends\nVersion: %s\n' "$version" >"$site/bothends-$version.dist-info/METADATA"
  touch "$site/.whole"
fi
mkdir -p "$out"
export PYTHONPATH=$site:$PWD/service:$PWD/export PYTHONUNBUFFERED=1
nvidia-smi --query-gpu=name,driver_version,memory.total,memory.used --format=csv || echo "nvidia-smi says nothing"
timeout "${LIMIT_S:-540}" "$python" benchmarks/gpu/proof.py --out "$out/proof.json" "$@" 2>&1 | tee "$out/proof.txt"

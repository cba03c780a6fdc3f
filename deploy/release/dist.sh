#!/bin/sh
# The three distributions as people install them, in dist/: sdists, wheels made from the sdists, the native ones of dist/wheels, the model
# apart from the code. Then they are installed into empty environments, where a server answers a client.
#
# dist.sh PYTHON [REPOSITORY]     dependencies and tools come from the index that pip is set up for; REPOSITORY is its public address, as
#                                 https://github.com/OWNER/bothends: the READMEs' links and pictures lead to this commit there
set -eu
python=$1
repository=${2:-}
cd "$(dirname "$0")/../.."
made=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$made"' EXIT

environment() { # environment NAME REQUIREMENT...: nothing but these, and what they need
    "$python" -m venv "$made/$1"
    name=$1
    shift
    "$made/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

mkdir -p dist/wheels
find dist -mindepth 1 -maxdepth 1 ! -name wheels -exec rm -r {} +
environment tools "build>=1.2" "hatch-fancy-pypi-readme>=25.1" "pyelftools>=0.31" "readme-renderer[md]>=44" "twine>=6" "wheel>=0.45"
export PATH="$made/tools/bin:$PATH"

readme() { # readme SOURCE PLACE: the README of SOURCE, which stands in PLACE of the repository, as it reads by itself
    commit=$(git rev-parse HEAD)
    rules=deploy/release/readme$([ -n "$repository" ] || echo -plain).toml
    sed "s|@RAW@|$repository/raw/$commit/$2|; s|@BLOB@|$repository/blob/$commit/$2|" "$rules" >"$made/readme.toml"
    (cd "$1" && hatch-fancy-pypi-readme -o "$made/README.md" "$made/readme.toml" && mv "$made/README.md" README.md)
}

deploy/release/sources.sh "$python" "$made"
mkdir "$made/sources"
git ls-files -z native | tar -c --null -T - | tar -x -C "$made/sources"
readme "$made/main" ""
readme "$made/sources/native" native/
[ -z "$repository" ] || for each in main english sources/native; do
    printf '\n[project.urls]\nSource = "%s"\n' "$repository" >>"$made/$each/pyproject.toml"
done
for each in main english; do
    python -m build --outdir dist "$made/$each" >"$made/log" 2>&1 || { cat "$made/log"; exit 1; }
done
for each in dist/*.whl; do # of Python alone; native ones have theirs since they were made
    "$python" deploy/release/sbom.py wheel "$each"
done
python -m build --sdist --outdir dist "$made/sources/native" >"$made/log" 2>&1 || { cat "$made/log"; exit 1; }

# Native wheels were made before, perhaps on another machine, or are now; each gets the README that reads by itself.
{ ls dist/wheels/*.whl && [ -z "$(find native -newer dist/wheels -type f -print -quit)" ]; } >/dev/null 2>&1 ||
    deploy/release/wheels.sh "$python"
"$made/tools/bin/python" deploy/release/wheels.py dist/wheels # whoever made them
for each in dist/wheels/*.whl; do
    rm -rf "$made/wheel"
    wheel unpack --dest "$made/wheel" "$each" >/dev/null
    metadata=$(echo "$made"/wheel/*/*.dist-info/METADATA)
    { sed '/^$/,$d' "$metadata" && echo "${repository:+Project-URL: Source, $repository
}" && cat "$made/sources/native/README.md"; } >"$made/metadata"
    mv "$made/metadata" "$metadata"
    wheel pack --dest-dir dist "$made"/wheel/* >/dev/null
done
twine check --strict dist/*.tar.gz dist/*.whl
# What PyPI makes of each README leads nowhere that isn't there.
"$made/tools/bin/python" - dist/*.whl <<'END'
import re, sys
from importlib.metadata import PathDistribution
from zipfile import Path, ZipFile
from readme_renderer.markdown import render

for wheel in sys.argv[1:]:
    (about,) = (path for path in Path(ZipFile(wheel)).iterdir() if path.name.endswith(".dist-info"))
    page = render(PathDistribution(about).metadata["Description"])
    lost = [link for link in re.findall(r'(?:src|href)="([^"]*)"', page) if not link.startswith(("https://", "http://", "#"))]
    assert not lost, f"{wheel}: nothing is at {lost}"
END
[ -n "$repository" ] || echo "Without a REPOSITORY the pages on PyPI will have no pictures, nor links to files."

# First, and by themselves: whatever an index has by these names is another build, if it is ours at all.
environment server --no-index --no-deps --find-links dist bothends bothends-english bothends-native
"$made/server/bin/python" -m pip install --quiet --disable-pip-version-check "bothends[cpu]"
environment client dist/bothends-*.whl
if "$made/client/bin/python" -m zipfile --list dist/bothends-*.whl | grep '\.onnx'; then exit 1; fi
"$made/server/bin/bothends" serve --transport native --engine native --port 0 --http-port 0 >"$made/banner" 2>"$made/log" &
server=$!
for _ in $(seq 100); do
    grep -q '^  try' "$made/banner" && break
    kill -0 "$server" || { cat "$made/log"; exit 1; }
    sleep 0.2
done
address=$(sed -n 's/^  gRPC *\([^ ]*\).*/\1/p' "$made/banner")
"$made/client/bin/bothends" embed --server "$address" "there will be dragons"
kill "$server" && wait "$server"
server=
ls -lh dist

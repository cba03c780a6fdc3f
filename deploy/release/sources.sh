#!/bin/sh
# The sources of the two distributions that are Python alone, as an index has them: FOLDER/main is `bothends`, FOLDER/english the model.
# Who only calls a server downloads no model: it leaves the copy that `bothends` is made from, and is a distribution by itself. In a clone it
# is there anyway.
#
# sources.sh PYTHON FOLDER
set -eu
python=$1
folder=$2
cd "$(dirname "$0")/../.."
mkdir "$folder/main"
git ls-files -z service export training proto README.md LICENSE CHANGELOG.md pyproject.toml native/pyproject.toml | tar -c --null -T - | tar -x -C "$folder/main"
cp -r deploy/release/english "$folder/english"
mkdir "$folder/english/bothends"
mv "$folder/main/service/bothends/models" "$folder/english/bothends"
cp LICENSE "$folder/english"
"$python" deploy/release/published.py pyproject.toml >"$folder/main/pyproject.toml"

#!/bin/sh
# Writes the SHA-256 of each distribution of a folder into its SHA256SUMS, as `sha256sum --check` reads it; fails where there is none.
#
# checksums.sh FOLDER
set -eu
cd "$1"
set -- *.whl *.tar.gz
for each; do
    [ -e "$each" ] || { echo "$PWD has no $each" >&2; exit 1; }
done
sha256sum -- "$@" >SHA256SUMS

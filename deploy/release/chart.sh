#!/usr/bin/env bash
# chart.sh IMAGE FOLDER: packs the chart into FOLDER as it is published: its image is IMAGE, where the release pushes it.
set -euo pipefail
cd "$(dirname "$0")/../.."

image=$1 folder=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp --recursive --dereference deploy/helm/bothends "$work" # the rules and dashboards that its links lead to
sed -i "s|^  repository: bothends\$|  repository: $image|" "$work/bothends/values.yaml"
grep -q "^  repository: $image\$" "$work/bothends/values.yaml"
helm lint --strict "$work/bothends"
helm package "$work/bothends" --destination "$folder"

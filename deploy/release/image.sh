#!/bin/sh
# Builds the image for a CPU from dist/wheels and tries it: its size as a registry keeps it, a start, a call on each port.
#
# image.sh [PLATFORM]     as linux/arm64; this machine's own by default
set -eu
cd "$(dirname "$0")/../.."
limit=250000000 # bytes, compressed
tag=bothends:tried
container=
trap '[ -z "$container" ] || docker rm --force "$container" >/dev/null' EXIT

docker buildx build --quiet --load ${1:+--platform "$1"} --build-arg NATIVE=wheels --tag "$tag" . >/dev/null
size=$(docker save "$tag" | gzip --stdout | wc --bytes)
echo "$tag is $((size / 1000000)) MB compressed"
[ "$size" -le "$limit" ] || { echo "That is more than $((limit / 1000000)) MB." >&2; exit 1; }

started=$(date +%s%N)
container=$(docker run --detach --publish 127.0.0.1::50051 --publish 127.0.0.1::8080 "$tag")
http=$(docker port "$container" 8080)
body='{"input": "there will be dragons"}'
for _ in $(seq 600); do
    curl --fail --silent --output /dev/null --header 'Content-Type: application/json' --data "$body" "http://$http/v1/embeddings" && break
    [ "$(docker inspect --format '{{.State.Running}}' "$container")" = true ] || { docker logs "$container"; exit 1; }
    sleep 0.1
done
echo "HTTP answered after $((($(date +%s%N) - started) / 1000000)) ms"
docker exec "$container" bothends embed --server 127.0.0.1:50051 "there will be dragons"
docker exec "$container" bothends info | grep --extended-regexp '^(engine|transport)' # native, both
docker stats --no-stream --format 'memory {{.MemUsage}}' "$container"

#!/bin/sh
# Builds the image for a CPU from dist/wheels and tries it: its size as a registry keeps it, a start, a call on each port, and whether
# the native parts answer.
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
tries=300
until curl --fail --silent --output /dev/null --header 'Content-Type: application/json' --data "$body" "http://$http/v1/embeddings"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] && [ "$(docker inspect --format '{{.State.Running}}' "$container")" = true ] || {
        docker logs "$container" >&2
        echo "It doesn't answer over HTTP." >&2
        exit 1
    }
    sleep 0.2
done
echo "HTTP answered after $((($(date +%s%N) - started) / 1000000)) ms"
docker exec "$container" bothends embed --server 127.0.0.1:50051 "there will be dragons"
# Without the native parts, or without what the processor can do, it would answer all the same.
model=$(docker exec "$container" bothends info)
for wanted in '^engine +native/(avx|neon)' '^transport +native$'; do
    echo "$model" | grep --extended-regexp "$wanted" || {
        printf '%s\n' "$model" "This isn't $wanted" >&2
        exit 1
    }
done
docker stats --no-stream --format 'memory {{.MemUsage}}' "$container"

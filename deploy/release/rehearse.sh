#!/bin/sh
# A release, rehearsed on this machine: the version that is released next, of what is committed, and the one before it are built as `make
# dist` builds them, published to an index on loopback, and installed from there as people install them: by pip into empty environments, by
# pip over the older one, and by uvx. Each time a sentence is embedded, a server starts, and it is asked on both ports. The image and the
# chart are made where docker and helm are. What it starts ends with it, and nothing stays but native/libraries.sh's archives.
#
# rehearse.sh PYTHON [WORD...]     WORDs are those of wheels.sh, for which processors and Pythons there are wheels; by default for PYTHON
#                                  alone. Other packages come from the index that pip is set up for
set -eu
python=$1
shift
[ $# -gt 0 ] || set -- "$(uname -m)" this-python
cd "$(dirname "$0")/../.."
made=$(mktemp -d)
began=$(date +%s)
groups=
trap 'for group in $groups; do kill -- "-$group" 2>/dev/null || true; done; rm -rf "$made"' EXIT
trap 'exit 130' INT TERM

stage() { # stage WORD...: what is done from now on, and when it begins
    printf '%5d s  %s\n' "$(($(date +%s) - began))" "$*"
}

quietly() { # quietly COMMAND...: what it says is shown where it fails
    "$@" >"$made/log" 2>&1 || { cat "$made/log"; echo "This failed: $*" >&2; exit 1; }
}

await() { # await FILE PATTERN PROCESS: a line of the file
    tries=600
    until grep -q "$2" "$1"; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] && kill -0 "$3" 2>/dev/null || { cat "$1" "$made/log"; exit 1; }
        sleep 0.2
    done
}

build() { # build VERSION COMMIT WORD...: its distributions, in $made/VERSION/dist
    version=$1
    git clone --quiet --shared . "$made/$version"
    git -C "$made/$version" -c advice.detachedHead=false checkout --quiet "$2"
    sed -i "s/^version = .*/version = \"$version\"/" "$made/$version/native/pyproject.toml"
    shift 2
    # 0.9.0's own script took the folder of native wheels for a distribution.
    sed -i 's|^twine check --strict dist/[*]$|twine check --strict dist/*.tar.gz dist/*.whl|' "$made/$version/deploy/release/dist.sh"
    quietly "$made/$version/deploy/release/wheels.sh" "$python" "$@"
    quietly "$made/$version/deploy/release/dist.sh" "$python"
}

publish() { # publish VERSION: as release.yml does; a model has a version of its own, and may be there already
    for each in "$made/$1"/dist/*.whl "$made/$1"/dist/*.tar.gz; do
        [ -e "$made/packages/$(basename "$each")" ] ||
            quietly "$tools/twine" upload --disable-progress-bar --repository-url "$index/" --username none --password none "$each"
    done
}

holds() { # holds ENVIRONMENT VERSION: both distributions that have this version
    for name in bothends bothends-native; do
        found=$("$1/bin/python" -c "import sys, importlib.metadata as m; print(m.version(sys.argv[1]))" "$name")
        [ "$found" = "$2" ] || { echo "$name is $found, and should be $2" >&2; exit 1; }
    done
}

answers() { # answers COMMAND...: it embeds, and serves by the native parts; a client, and OpenAI's API, answer
    quietly "$@" embed "there will be dragons" "dragons will be there"
    : >"$made/banner"
    setsid "$@" serve --port 0 --http-port 0 >"$made/banner" 2>"$made/log" &
    server=$!
    groups="$groups $server"
    await "$made/banner" '^  try' "$server"
    for line in 'engine *native/' 'gRPC .* by the native transport' 'HTTP .* by the native transport'; do
        grep -q "^  $line" "$made/banner" || { cat "$made/banner"; echo "No line says: $line" >&2; exit 1; }
    done
    quietly "$@" embed --server "$(sed -n 's/^  gRPC *\([^ ]*\).*/\1/p' "$made/banner")" "there will be dragons"
    quietly "$tools/python" - "$(sed -n 's/^  HTTP *\([^ ]*\).*/\1/p' "$made/banner")" <<'END'
import json, sys, urllib.request

body = json.dumps({"model": "english", "input": "there will be dragons"}).encode()
request = urllib.request.Request(f"{sys.argv[1]}/v1/embeddings", body, {"content-type": "application/json"})
with urllib.request.urlopen(request, timeout=60) as answer:
    assert len(json.load(answer)["data"][0]["embedding"]) == 512
END
    kill -- "-$server"
    wait "$server" || true # a signal ended it
    groups=${groups% "$server"}
}

here=$("$python" deploy/release/version.py)
# While the changelog has what isn't released, what stands in the one place for the version is the version before.
if grep -q '^## \[Unreleased\]' CHANGELOG.md; then
    before=$here
    next=$(echo "$here" | awk -F. '{ print $1 "." $2 + 1 ".0" }')
else
    before=$(sed -n 's/^## \[\([0-9][^]]*\)\].*/\1/p' CHANGELOG.md | sed -n 2p)
    next=$here
fi
commit=$(git rev-parse --quiet --verify "v$before^{commit}" || git log -1 --format=%H "-S## [$before]" -- CHANGELOG.md)
stage "Rehearsing bothends $next, of $(git rev-parse --short HEAD), after $before, of $(git rev-parse --short "$commit")"
# Loopback is reached without a proxy, as the index on it is.
export no_proxy="127.0.0.1${no_proxy:+,$no_proxy}" NO_PROXY="127.0.0.1${NO_PROXY:+,$NO_PROXY}"
"$python" -m venv "$made/tools"
tools=$made/tools/bin
quietly "$tools/python" -m pip install --disable-pip-version-check "pypiserver>=2.4" "twine>=6" "uv>=0.8"
stage "Building $before"
build "$before" "$commit" "$@"
stage "Building $next"
build "$next" HEAD "$@"

stage "Publishing $before to an index on loopback, which sends whoever asks it for other packages to ordinary ones"
mkdir "$made/packages"
others=${PIP_INDEX_URL:-$("$python" -m pip config get global.index-url 2>/dev/null || echo https://pypi.org/simple)}
: >"$made/port"
setsid "$tools/python" - "$made/packages" "$others" >"$made/port" 2>"$made/index" <<'END' &
import sys
from pathlib import Path
from wsgiref.simple_server import make_server

import pypiserver

index = pypiserver.app(roots=[Path(sys.argv[1])], fallback_url=sys.argv[2], password_file=".", authenticate=[])
server = make_server("127.0.0.1", 0, index)
print(server.server_port, flush=True)
server.serve_forever()
END
groups=" $!"
await "$made/port" . "$!"
index=http://127.0.0.1:$(cat "$made/port")
publish "$before"

# From here on nothing is found but by that index, and no cache outlives this.
export PIP_INDEX_URL="$index/simple/" PIP_CACHE_DIR="$made/cache" PIP_DISABLE_PIP_VERSION_CHECK=1
export UV_DEFAULT_INDEX="$index/simple/" UV_CACHE_DIR="$made/uv" UV_PYTHON="$python" UV_NO_CONFIG=1
stage "pip install 'bothends[cpu]' into an empty environment: $before"
"$python" -m venv "$made/older"
quietly "$made/older/bin/python" -m pip install "bothends[cpu]"
holds "$made/older" "$before"
answers "$made/older/bin/bothends"
stage "Publishing $next, and pip install --upgrade 'bothends[cpu]' there"
publish "$next"
quietly "$made/older/bin/python" -m pip install --upgrade "bothends[cpu]"
holds "$made/older" "$next"
answers "$made/older/bin/bothends"
stage "pip install 'bothends[cpu]' into an empty environment: $next"
"$python" -m venv "$made/newer"
quietly "$made/newer/bin/python" -m pip install "bothends[cpu]"
holds "$made/newer" "$next"
answers "$made/newer/bin/bothends"
stage "uvx --from 'bothends[cpu]' bothends serve"
"$tools/uvx" --quiet --from "bothends[cpu]" bothends --version >"$made/log"
grep -qx "bothends $next" "$made/log" || { cat "$made/log"; exit 1; }
answers "$tools/uvx" --quiet --from "bothends[cpu]" bothends

if docker info >/dev/null 2>&1; then
    stage "The image"
    (cd "$made/$next" && quietly deploy/release/image.sh)
else
    stage "The image is left out: no container engine answers"
fi
if command -v helm >/dev/null; then
    stage "The chart"
    quietly "$made/$next/deploy/release/chart.sh" registry.example/bothends "$made/chart"
else
    stage "The chart is left out: helm isn't here"
fi
stage "All of it was made, published, installed and asked"

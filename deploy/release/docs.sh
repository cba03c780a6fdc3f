#!/bin/sh
# The documents as a site, committed to the branch gh-pages beside the other versions of them: what is to be pushed is there then.
#
# docs.sh BIN [vX.Y.Z]     BIN is the folder with mike; a tag is the version X.Y, and "latest" where there is no later one; without a tag
#                          it is "dev". SITE_URL and REPOSITORY are the addresses of the site and of the repository, as
#                          https://github.com/OWNER/bothends
set -eu
bin=$1
tag=${2:-}
cd "$(dirname "$0")/../.."
export NO_MKDOCS_2_WARNING=1
PATH="$bin:$PATH" # mike calls mkdocs

# The versions that are published. The first time there are none.
git fetch --quiet origin gh-pages 2>/dev/null && git update-ref refs/heads/gh-pages FETCH_HEAD
if [ -n "$tag" ]; then
    version=$(echo "$tag" | sed -nE 's/^v([0-9]+\.[0-9]+)\.[0-9]+$/\1/p')
    [ -n "$version" ] || { echo "$tag is no release's tag: vX.Y.Z" >&2; exit 2; }
    newest=$({ mike list 2>/dev/null | sed -nE 's/^([0-9]+\.[0-9]+).*/\1/p' && echo "$version"; } | sort -V | tail -n 1)
    if [ "$newest" = "$version" ]; then
        mike --quiet deploy --update-aliases "$version" latest
        mike --quiet set-default latest
    else
        mike --quiet deploy "$version"
    fi
else
    mike --quiet deploy dev
    mike list latest >/dev/null 2>&1 || mike --quiet set-default dev
fi
mike list

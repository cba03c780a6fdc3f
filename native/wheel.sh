#!/bin/sh
# Installs a wheel of bothends-native, so that nobody needs a compiler: one that `make wheels` has made of what stands here, or one of
# this version from an index, if nothing here has changed since its release. Ends with 1 where no wheel fits.
#
# wheel.sh PYTHON
set -eu
python=$1
cd "$(dirname "$0")"
built="CMakeLists.txt bothends_native engine exports.map libraries.sh pyproject.toml shared transport wordpiece" # what a wheel is made of
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)

install() { # install OPTION...: another wheel of this version may be there already
    "$python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps --force-reinstall \
        "$@" "bothends-native==$version" 2>/dev/null
}

made() { # since the last change here
    wheels=../dist/wheels
    # shellcheck disable=SC2086 # words
    [ -d "$wheels" ] && [ -z "$(find $built -newer "$wheels" -type f ! -name '*.pyc' -print -quit)" ]
}

released() { # by git's history, or by what stands in an archive of it: one of another state has the same version
    if git rev-parse --quiet --verify HEAD >/dev/null 2>&1; then
        # shellcheck disable=SC2086 # words
        git diff --quiet "v$version" -- $built 2>/dev/null
    else
        [ "$(cat ../.git_archival.txt 2>/dev/null)" = "v$version" ]
    fi
}

if made && install --no-index --find-links ../dist/wheels; then
    echo "Installed bothends-native $version from dist/wheels"
elif released && install --retries 0; then
    echo "Installed bothends-native $version by pip"
else
    exit 1
fi

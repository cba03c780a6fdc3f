#!/bin/sh
# Which lines of the native modules their tests run, by GCC's counters: a table of files, and every line with its count in FOLDER.
#
# native/check/coverage.sh PYTHON FOLDER     PYTHON has cmake, nanobind, gcovr and what the tests need; without GCC nothing is done
set -eu
python=$1 to=$2
here=$(cd "$(dirname "$0")/.." && pwd)
command -v g++ >/dev/null && command -v gcov >/dev/null || { echo "the native modules are left out: there is no g++ with gcov"; exit 0; }

CXX=g++ CXXFLAGS="--coverage -fprofile-update=atomic" "$here/check/module.sh" "$python" coverage ""
objects=$here/build/modules/coverage-build
find "$objects" -name '*.gcda' -delete
mkdir -p "$to"
cd "$here/.."
PYTHONPATH="$here/build/modules/coverage${PYTHONPATH:+:$PYTHONPATH}" "$python" -m pytest -q -p no:cacheprovider tests/native
"$(dirname "$python")/gcovr" --root "$here" --exclude-directories '.*nanobind.*' --filter "$here/.*" --html-details "$to/index.html" --txt - "$objects"

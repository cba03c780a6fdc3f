#!/bin/sh
# Which lines of the native modules their tests run, by Clang's counters: a table of files, and every line with its count in FOLDER.
#
# native/check/coverage.sh PYTHON FOLDER     PYTHON has cmake, nanobind and what the tests need; without Clang nothing is done
set -eu
python=$1 to=$2
here=$(cd "$(dirname "$0")/.." && pwd)
for tool in clang++ llvm-profdata llvm-cov; do
    command -v $tool >/dev/null || { echo "the native modules are left out: there is no $tool (apt install clang llvm)"; exit 0; }
done

CXX=clang++ CXXFLAGS="-fprofile-instr-generate -fcoverage-mapping" "$here/check/module.sh" "$python" coverage ""
modules=$here/build/modules/coverage
rm -rf "$to"
mkdir -p "$to"
cd "$here/.."
LLVM_PROFILE_FILE="$to/%m.profraw" PYTHONPATH="$modules${PYTHONPATH:+:$PYTHONPATH}" "$python" -m pytest -q -p no:cacheprovider tests/native
llvm-profdata merge -sparse "$to"/*.profraw -o "$to/tests.profdata"
first= others=
for module in "$modules"/bothends_native/*.so; do
    if [ -z "$first" ]; then first=$module; else others="$others --object=$module"; fi
done
measured() { # measured COMMAND OPTIONS...: llvm-cov's answer about our own files in all three modules
    # shellcheck disable=SC2086
    llvm-cov "$@" "$first" $others --instr-profile="$to/tests.profdata" --ignore-filename-regex='site-packages|/usr/'
}
measured report
measured show --format=html --output-dir="$to"

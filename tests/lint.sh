#!/bin/sh
# Looks the repository over without running it, and says at the end what was looked at and what couldn't be, a line each. All checks run
# whatever the others found; ends with 1 where one found something.
#
# tests/lint.sh BIN     BIN is the folder of the tools, as .venv/bin
set -u
bin=$1 found=0 said=
cd "$(dirname "$0")/.."

look() { # look AT COMMAND...: a command that ends with 69 says in its last line why it couldn't look
    at=$1
    shift
    output=$("$@" 2>&1)
    case $? in
        0) end="looked at $at" ;;
        69) end="skipped   $at: ${output##*
}" output= ;;
        *) end="FAILED    $at" found=1 ;;
    esac
    [ -z "$output" ] || printf '%s\n' "$output"
    said="$said
$end"
}

types() { # PyTorch brings types that training, export and their tests are checked by
    "$bin/python" -c 'import importlib.util as u, sys; sys.exit(not u.find_spec("torch"))' ||
        { echo "PyTorch isn't here (make test-full)"; return 69; }
    "$bin/mypy"
}

look "Python's rules (ruff)" "$bin/ruff" check
look "Python's format (ruff)" "$bin/ruff" format --check
look "types of what serves (mypy)" "$bin/mypy" --package bothends
look "types of all else (mypy)" types
look "imports' one way (import-linter)" "$bin/lint-imports"
look "C++'s format (clang-format)" native/check/format.sh "$bin/python"
look "what the native locks guard (Clang)" native/check/locks.sh "$bin/python"
printf '%s\n' "$said"
exit $found

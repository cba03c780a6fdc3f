#!/bin/sh
# What clang-tidy 19 finds by native/.clang-tidy, in a minute. Other versions look for other things. It reads how each source is compiled
# from what CMake writes of the preset `locks`. What stands on nanobind is left out: objects that are made for their effect are its way to
# do things. So are the engine's levels, which are all one file's kernels.
#
# native/check/tidy.sh PYTHON     that has nanobind; where there is no such clang-tidy, it says so and looks at nothing
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
tidy=
for name in clang-tidy clang-tidy-19; do
    ! "$name" --version 2>/dev/null | grep -q ' version 19\.' || tidy=$name
done
[ -n "$tidy" ] || { echo "clang-tidy 19 isn't here (Debian 13: apt install clang-tidy); C++ is linted without it" >&2; exit 0; }
CXX=$("$here/check/clang.sh") "$here/check/build.sh" "$1" locks
"$1" - "$here" <<'PYTHON' | sort -u | xargs -P "$(nproc)" -n 1 "$tidy" --quiet -p "$here/build/locks" --config-file="$here/.clang-tidy" \
    --header-filter="$here/" 2>/dev/null
import json, re, sys
from pathlib import Path

here = Path(sys.argv[1])
commands = json.loads((here / "build/locks/compile_commands.json").read_text(encoding="utf-8"))
of = re.compile(r"locks\.dir/(?!.*binding)|check\.dir/engine/(?!level_)")  # its object files say whose a source is
print(*(each["file"] for each in commands if of.search(each["output"])), sep="\n")
PYTHON

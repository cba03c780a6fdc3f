"""image.sh, which a release's image must pass before it is pushed; docker and curl are stand-ins."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.released import RELEASE

DOCKER = """#!/bin/sh
case $1 in
    port) echo 127.0.0.1:1 ;;
    run) echo container ;;
    inspect) echo true ;;
    exec) [ "$4" != info ] || printf 'engine         %s\\ntransport      %s\\n' "$ENGINE" "$TRANSPORT" ;;
esac
"""
RIGHT = {"ENGINE": "native/avx512/float32", "TRANSPORT": "native", "ANSWERS": "true"}


def tried(folder: Path, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run the script on an image that answers as the variables say."""
    for name, text in {"docker": DOCKER, "curl": "#!/bin/sh\n$ANSWERS\n", "sleep": "#!/bin/sh\n"}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    variables = os.environ | RIGHT | changed | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run([RELEASE / "image.sh"], capture_output=True, text=True, check=False, env=variables)


def test_an_image_that_answers_natively_passes(tmp_path: Path) -> None:
    assert tried(tmp_path).returncode == 0
    assert tried(tmp_path, ENGINE="native/neon_bf16/float32").returncode == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ENGINE": "CPUExecutionProvider"}, "This isn't ^engine"),
        ({"ENGINE": "native/portable/float32"}, "This isn't ^engine"),
        ({"TRANSPORT": "grpcio"}, "This isn't ^transport"),
        ({"ANSWERS": "false"}, "It doesn't answer over HTTP."),
    ],
)
def test_what_is_slow_or_silent_is_refused(tmp_path: Path, changed: dict[str, str], said: str) -> None:
    """Where native parts are missing a server answers by others, so an answer alone tells nothing."""
    done = tried(tmp_path, **changed)
    assert done.returncode == 1
    assert said in done.stderr

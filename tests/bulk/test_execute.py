"""Runs end as a shell expects, and their last lines say how."""

import json
import subprocess

from bothends.model.bundle import Bundle
from tests.bulk.conftest import environment, start
from tests.support.ran import ran
from tests.support.serving import BOTHENDS


def test_nothing_is_held_back(toy_bundle: Bundle) -> None:
    """Each line is answered while its writer waits for that, as `tail -f` would have it."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with start("-", "--bundle", toy_bundle.path, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for row in range(5):
            process.stdin.write(f"dragons {row}\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["row"] == row
        process.stdin.close()
        assert process.wait(20) == 0


def test_head_ends_it_quietly(toy_bundle: Bundle) -> None:
    """An input without end is left without a word, with the exit code that a shell expects after SIGPIPE."""
    command = 'yes dragons | "$0" embed - --bundle "$1" | head -n 3; echo ${PIPESTATUS[1]}'
    ended = ran("bash", "-c", command, BOTHENDS, toy_bundle.path, check=True, env=environment(), timeout=60)
    *rows, code = ended.stdout.splitlines()
    assert [json.loads(row)["row"] for row in rows] == [0, 1, 2]
    assert (code, ended.stderr) == ("141", "")

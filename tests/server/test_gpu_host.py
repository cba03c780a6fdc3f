"""Host of a GPU: benchmarks/gpu_host.py measures on the stand-in what it can feed to one that takes no time."""

import re
import subprocess
import sys

import click
import pytest
from benchmarks.load import build as generator

from tests.support.paths import ROOT
from tests.support.standin import STANDIN, environment
from tests.support.until import TIMEOUT_S

pytestmark = STANDIN
_LOAD = "1 sentence × 8"
"""The load that a busy machine answers soon, too: of four lists of 512 sentences none may be answered in a second."""


def test_what_a_host_can_feed_is_measured_beside_what_it_computes() -> None:
    """Each load has its sentences a second on a GPU that computes nothing, and on the machine's own cores."""
    try:
        generator.build()
    except click.ClickException as missing:
        pytest.skip(missing.message)
    answer = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "gpu_host.py", "--seconds", "0.5", "--load", _LOAD],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=4 * TIMEOUT_S,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    rows = re.findall(r"^\| (.*) \| ([\d,]+) \| ([\d,]+) \|$", answer.stdout, re.MULTILINE)
    assert [name for name, *_ in rows] == [_LOAD]
    assert all(float(rate.replace(",", "")) > 0 for row in rows for rate in row[1:])

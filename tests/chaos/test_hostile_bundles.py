"""A server that finds a hostile bundle stays up, keeps its memory, and answers its callers as quickly as ever."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bothends.model.bundle import default_path
from tests.support.serving import Running, sample
from tests.support.until import until

from .answers import Reference
from .callers import OK
from .costs import Costs, singles
from .hostile_bundles import HOSTILE, large_vocabulary, published

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
MAX_GROWTH_MB = 100
RELOADS = 'bothends_model_reloads_total{{model="english",result="{}"}}'
KINDS = HOSTILE | {"an honest vocabulary of 15 MB": large_vocabulary}
BEFORE = {
    "8 replacements": "600 bytes: nobody answered for 13 s, 3.4 GB",
    "6 concatenations": "85 MB",
    "7 concatenations": "8.4 GB",
    "2 GiB of nothing": "2.2 GB",
    "a pattern that backtracks": "served: 24 characters of any caller held Python for 0.1 to 0.3 s",
    "an honest vocabulary of 15 MB": "17 MB: nobody answered for 850 ms",
}


def added_bytes(good: Path, changed: Path) -> int:
    """Bytes that a bundle holds more than a good one: those of a sparse file aren't there."""
    return sum(max(0, on_disk(file) - on_disk(good / file.name)) for file in changed.iterdir())


def on_disk(file: Path) -> int:
    return min(file.stat().st_size, file.stat().st_blocks * 512)


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_bundle(
    serve: Callable[..., Running], reference: Reference, record: Callable[..., None], tmp_path: Path, kind: str
) -> None:
    """A newer version comes under a caller's calls, and is refused; its memory stays. An honest one is served."""
    root = tmp_path / "versions"
    shutil.copytree(default_path(), root / "2020")
    running = serve("--bundle", str(root), reload_s=0, selftest_s=0)
    published(default_path(), root / "2021", KINDS[kind], version="2021")
    result = "refused" if kind in HOSTILE else "served"
    neighbour = singles(running, reference, takes_any=result == "served")  # a newer model's answers name it
    with Costs(running, neighbour) as costs:
        with costs.calling():
            began = time.monotonic()
            running.process.send_signal(signal.SIGHUP)
            until(lambda: sample(running, RELOADS.format(result)) == 1)
            took_s = time.monotonic() - began
        costs.recover()
    figures = costs.figures(sent_bytes=added_bytes(default_path(), root / "2021"), before=BEFORE[kind])
    longest_ms = 1000 * max(costs.others.seconds)
    record(f"hostile bundle: {kind}", result=result, took_s=took_s, others_longest_ms=longest_ms, **figures)
    assert set(costs.others.kinds) == {OK}, costs.others.kinds
    assert result == "served" or costs.grew_mb < MAX_GROWTH_MB

"""A server that finds a hostile bundle stays up, keeps its memory, and answers its callers as quickly as ever."""

import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bothends.model.bundle import default_path
from tests.support.serving import Running, sample
from tests.support.until import until

from .answers import Reference
from .callers import OK, WRONG, Caller, Tally, call_until
from .hostile_bundles import HOSTILE, large_vocabulary, published
from .vitals import vitals

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory
MOST_GROWTH_MB = 100
RELOADS = 'bothends_model_reloads_total{{result="{}"}}'
KINDS = HOSTILE | {"an honest vocabulary of 15 MB": large_vocabulary}


class Neighbour(threading.Thread):
    """Caller who asks again and again."""

    def __init__(self, running: Running, reference: Reference) -> None:
        super().__init__(daemon=True)
        self._running, self._reference, self._done = running, reference, threading.Event()
        self._tally = Tally()

    def run(self) -> None:
        with Caller(self._running.target, self._reference.only(range(1, 20)), seed=1, most=1) as caller:
            self._tally = call_until(caller, lambda _: not self._done.is_set())

    def tally(self) -> Tally:
        self._done.set()
        self.join(60)
        return self._tally


def calling(running: Running, reference: Reference) -> Neighbour:
    neighbour = Neighbour(running, reference)
    neighbour.start()
    return neighbour


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_bundle(
    serve: Callable[..., Running], reference: Reference, record: Callable[..., None], tmp_path: Path, kind: str
) -> None:
    """A newer version comes under a caller's calls, and is refused; its memory stays. An honest one is served."""
    root = tmp_path / "versions"
    shutil.copytree(default_path(), root / "2020")
    running = serve("--bundle", str(root), "--reload-s", "0", "--selftest-s", "0", "--log-format", "json")
    neighbour = calling(running, reference)
    time.sleep(1)  # warms the engine, and says what is usual
    alone = neighbour.tally()
    published(default_path(), root / "2021", KINDS[kind], version="2021")
    result = "refused" if kind in HOSTILE else "served"
    before, most = vitals(running.process.pid).rss_mb, 0.0
    neighbour, began = calling(running, reference), time.monotonic()
    running.process.send_signal(signal.SIGHUP)

    def has_ended() -> bool:
        nonlocal most
        most = max(most, vitals(running.process.pid).rss_mb)
        return sample(running, RELOADS.format(result)) == 1

    until(has_ended)
    took_s = time.monotonic() - began
    others = neighbour.tally()
    lost = others.kinds.total() - others.kinds[OK] - (others.kinds[WRONG] if result == "served" else 0)
    record(f"hostile bundle: {kind}", lost=lost, after_s=took_s, result=result,
           bytes=sum(file.stat().st_blocks * 512 for file in (root / "2021").iterdir()),
           grew_mb=most - before, others=others.kinds[OK],
           others_p50_alone_ms=alone.percentile_ms(50), others_p50_ms=others.percentile_ms(50),
           others_p99_alone_ms=alone.p99_ms, others_p99_ms=others.p99_ms,
           others_longest_ms=1000 * max(others.seconds))  # fmt: skip
    assert result == "served" or set(others.kinds) == {OK}  # a newer model's answers name it
    assert result == "served" or most - before < MOST_GROWTH_MB

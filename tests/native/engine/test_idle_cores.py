"""A run takes the cores that are idle, within the threads that the encoder may use, and gives them back."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.until import until

from .encoders import PRECISIONS, Sentences, flat, pair, ragged, sentences_of

MADE = pair(hidden=64, layers=2)
MUCH = ragged(120, longest=60)  # 3,500 tokens, each of which meets 64 KiB of weights in each direction


def _threads() -> set[Path]:
    """Threads that this process has, whoever made them: those of earlier tests may end meanwhile."""
    return set(Path("/proc/self/task").iterdir())


def _helped_s(encoder: Any, sentences: Sentences) -> float:
    """Run, and return the seconds for which other threads computed meanwhile."""
    before = time.process_time() - time.thread_time()
    encoder.run(*flat(sentences))
    return time.process_time() - time.thread_time() - before


def test_an_idle_core_helps() -> None:
    """Soon: what computed before this test is remembered for a moment, and a busy machine is slow to wake a thread."""
    encoder = MADE.native(threads=2)
    until(lambda: _helped_s(encoder, MUCH) > 1e-4)


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.parametrize(("threads", "sentences"), [(1, MUCH), (2, sentences_of([12]))], ids=["one thread", "little"])
def test_nobody_helps(threads: int, sentences: Sentences) -> None:
    """Where one thread may compute alone, and where there is so little to do that waking another takes longer."""
    encoder, before, end = MADE.native(threads=threads), _threads(), time.monotonic() + 0.1
    while time.monotonic() < end:  # longer than a core has to be idle
        encoder.run(*flat(sentences))
    assert _threads() <= before


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("threads", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_bits_stay_while_callers_come_and_go(threads: int, precision: str) -> None:
    """A helper leaves in the middle of a sentence once a caller wants its core, and whoever it helped goes on."""
    expected = MADE.native(precision=precision).run(*flat(MUCH)).tobytes()
    encoder = MADE.native(precision=precision, threads=threads)
    with ThreadPoolExecutor(3) as pool:
        for callers in (2, 3) * 8:
            for _ in range(2):  # alone, for so long that the next run is helped from its beginning
                assert encoder.run(*flat(MUCH)).tobytes() == expected
            runs = [pool.submit(lambda: encoder.run(*flat(MUCH))) for _ in range(callers)]
            assert all(run.result().tobytes() == expected for run in runs)

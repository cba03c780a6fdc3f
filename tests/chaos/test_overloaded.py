"""An overload costs nobody who can be served: no work is done for callers who have gone, who can't be served is told so
before its deadline, goodput stays near its peak, and a normal call is as quick as before a second after the storm.
"""

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.serving import Running
from tests.support.until import eventually

from . import overload
from .answers import WORDS, Reference
from .callers import OK, Caller
from .conftest import Form
from .load import build
from .overload import Shape
from .vitals import is_at_rest, scrape

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory

TIMES = 10
"""Factor by which the offered load is above what the server can do."""
WASTE = 0.05
EXPIRED = 0.02
"""Share of the calls whose deadline passed without an answer, at most. It was 0.2."""
GOODPUT, SOME_GOODPUT = 0.9, 0.25
"""Shares of the peak: the aim, and the least that is accepted. It was 0.04."""
RECOVERED_S, RECOVERED_RATIO = 1.0, 2.0
SHAPES = [
    Shape(1, concurrency=128, deadline_ms=250),
    Shape(32, concurrency=8, deadline_ms=500),
    Shape(1, concurrency=128, deadline_ms=250, connections=64),
]


Strike = Callable[[str, Shape], "Storm"]


@dataclass(frozen=True)
class Storm:
    """Outcome of a storm. `waste` is the share of the sentences that were run and whose callers had no answer,
    `expired` that of the calls whose deadline passed.
    """

    found: dict[str, Any]
    expired: float
    goodput: float
    waste: float
    slowdown: float


def weather(running: Running, reference: Reference, bodies: Path, shape: Shape, seconds: float) -> Storm:
    """Measure the peak before and after the storm, and a normal call's time before it and a second after it."""
    peak = overload.peak(running, bodies, shape, seconds / 2)
    with Caller(running.target, reference, seed=0, most=1) as caller:
        before_s, before = _quick_s(caller), scrape(running)
        after_s = []

        def when_over() -> None:
            time.sleep(RECOVERED_S)
            after_s.append(_quick_s(caller))

        found = overload.storm(
            running, bodies, shape, rate=TIMES * peak / shape.sentences, seconds=seconds, when_over=when_over
        )
    assert eventually(lambda: is_at_rest(running), within_s=10)
    run = scrape(running)["bothends_batch_rows_sum english"] - before["bothends_batch_rows_sum english"]
    peak = (peak + overload.peak(running, bodies, shape, seconds / 2)) / 2
    goodput = found["ok_within_deadline"] * shape.sentences / seconds / peak
    expired, waste = found["expired"] / found["requests"], max(0.0, 1 - found["ok"] * shape.sentences / run)
    return Storm(found, expired, goodput, waste, after_s[0] / before_s)


def shortfalls(storm: Storm, goodput: float) -> list[str]:
    """Names of the bars that were missed."""
    bars = [
        (storm.slowdown <= RECOVERED_RATIO, f"a second later a call takes {storm.slowdown:.1f} times as long"),
        (storm.expired <= EXPIRED, f"{storm.expired:.1%} of the calls were told nothing before their deadline"),
        (storm.waste <= WASTE, f"{storm.waste:.0%} of the sentences were run for callers who had no answer"),
        (storm.goodput >= goodput, f"goodput is {storm.goodput:.0%} of its peak, not {goodput:.0%}"),
    ]
    return [words for holds, words in bars if not holds]


@pytest.fixture
def strike(serve: Callable[..., Running], form: Form, record: Callable[..., None], tmp_path: Path) -> Strike:
    """Run a storm of a shape against a server of its own, and record it. Each call must have an answer."""
    build()
    chance, bodies = random.Random(0), tmp_path / "bodies.txt"
    bodies.write_text("\n".join(" ".join(chance.choices(WORDS, k=chance.randint(3, 45))) for _ in range(2000)) + "\n")

    def run(name: str, shape: Shape) -> Storm:
        storm = weather(serve(), Reference.compute(count=50, longest=20), bodies, shape, form.pick(4, 30))
        record(name, lost=storm.found["unanswered"], requests=storm.found["requests"], answered=storm.found["ok"],
               expired_percent=100 * storm.expired, goodput_percent=100 * storm.goodput,
               waste_percent=100 * storm.waste, a_second_later_ratio=storm.slowdown)  # fmt: skip
        assert storm.found["unanswered"] == storm.found["short_answers"] == 0
        return storm

    return run


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_deadline_storm(strike: Strike, form: Form, shape: Shape) -> None:
    """Ten times the server's capacity is survived, each call with a deadline, by callers who don't slow down."""
    storm = strike(f"deadline storm, {shape}", shape)
    if form.long:  # seconds on a machine that others use say too little: there a call takes 0.6 to 2 times as long
        assert not shortfalls(storm, SOME_GOODPUT)
    if short := shortfalls(storm, GOODPUT):
        pytest.xfail("; ".join(short))  # known, and told in docs/reliability.md under "What doesn't hold yet"


def _quick_s(caller: Caller) -> float:
    """Time of a normal call where nothing else is in its way: a tenth of them take less.

    A server that is still busy with a storm slows all of them, a machine that has other things to do only some.
    """
    seconds = []
    for _ in range(20):
        started = time.monotonic()
        assert caller.call() == OK
        seconds.append(time.monotonic() - started)
    return statistics.quantiles(seconds, n=10)[0]

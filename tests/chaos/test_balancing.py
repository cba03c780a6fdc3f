"""Servers that are slow, full or stopping cost who calls several at once next to nothing: goodput, the share of calls
that is answered in time, stays at 0.9 and more of what the able servers give by themselves.
"""

import re
import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial

import pytest

from tests.support.paths import ROOT
from tests.support.serving import Running

from . import balancing
from .balancing import PLACES, Call, Offered, by_envoy, offer, ours, plain
from .conftest import Form

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory

RATE, DEADLINE_S = 40, 0.4
GOODPUT = {"ours": 0.9, "plain": 0.6, "envoy": 0.9}
"""Floors, as shares of the able servers' own goodput. By turns, gRPC's own client would be at 0.5 in the worst case."""
ROUNDS, SECONDS = 3, 4.0
STOPS_S, GOES_S = 0.9, 0.1
"""Seconds in which a server that misses about half of its deadlines stops, and those in which it goes on."""
LAGS_S = 0.2
"""Seconds in which a server that meets its deadlines stops each time."""
TROUBLES = [
    ["well", "well", "slow"],
    ["well", "well", "draining"],
    ["well", "well", "full"],
    ["lagging", "draining", "full"],
    ["well", "slow", "draining", "full"],
]
IN_SHORT = [("ours", TROUBLES[3])]
PAGE = ROOT / "docs" / "operate" / "balancing.md"
Connect = Callable[[list[str]], AbstractContextManager[Call]]


class Pool:
    """Three servers and what is wrong with each; `able` are those that by themselves answer in time."""

    def __init__(self, serve: Callable[..., Running], stack: ExitStack, troubles: list[str]) -> None:
        self.targets: list[str] = []
        self.able: list[str] = []
        self.when_begun: list[Callable[[], None]] = []
        for trouble in troubles:
            flags = ["--max-concurrent-requests", str(PLACES)] if trouble == "full" else []
            running = serve("--workers", "1", "--drain-s", "120", *flags, selftest_s=0, caller_timeout_s=600)
            self.targets.append(running.target)
            if trouble in ("well", "lagging"):
                self.able.append(running.target)
            match trouble:
                case "slow":
                    stack.enter_context(balancing.stopped_mostly(running, stops_s=STOPS_S, goes_s=GOES_S))
                case "lagging":
                    stack.enter_context(balancing.stopped_mostly(running, stops_s=LAGS_S, goes_s=GOES_S))
                case "full":
                    stack.enter_context(balancing.full(running))
                case "draining":
                    self.when_begun.append(stack.enter_context(balancing.drained(running)))


def compare(pool: Pool, connect: Connect, seconds: float) -> tuple[list[Offered], list[Offered]]:
    """Put the same load on the able ones and on all, in turns, each by a client that knows nothing yet."""
    alone, together = list[Offered](), list[Offered]()
    for number in range(ROUNDS):
        for targets, found in ((pool.able, alone), (pool.targets, together)):
            if number == 0 and targets is pool.targets:
                for begin in pool.when_begun:
                    begin()
            with connect(targets) as call:
                found.append(offer(call, rate=RATE, deadline_s=DEADLINE_S, seconds=seconds))
    return alone, together


def unanswered(rounds: list[Offered]) -> str:
    kinds = sum(rounds, Offered()).kinds
    return ", ".join(f"{kind} {number}" for kind, number in kinds.items() if kind != "OK")


def median(rounds: list[Offered]) -> float:
    return statistics.median(one.goodput for one in rounds)


@pytest.mark.parametrize("troubles", TROUBLES, ids=", ".join)
@pytest.mark.parametrize("client", ["ours", "plain", "envoy"])
def test_goodput_beside_servers_in_trouble(
    serve: Callable[..., Running], form: Form, record: Callable[..., None], troubles: list[str], client: str
) -> None:
    """Goodput stays up by our client, by gRPC's own with the service config of balancing.md, and through an Envoy."""
    if form.pick((client, troubles) not in IN_SHORT, False):
        pytest.skip("takes half a minute; with --long")
    (config,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    clients: dict[str, Connect] = {"ours": ours, "plain": partial(plain, service_config=config), "envoy": by_envoy}
    connect = clients[client]
    with ExitStack() as stack:
        pool = Pool(serve, stack, troubles)
        alone, together = compare(pool, connect, SECONDS)
    total = sum(together, Offered())
    ratio = median(together) / median(alone)
    record(f"{', '.join(troubles)}: {client}", goodput_ratio=ratio, alone_percent=100 * median(alone),
           together_percent=100 * median(together), worst_percent=100 * min(one.goodput for one in together),
           median_ms=1000 * statistics.median(total.seconds),
           unanswered=unanswered(together) or "none", unanswered_alone=unanswered(alone) or "none")  # fmt: skip
    assert ratio >= GOODPUT[client]

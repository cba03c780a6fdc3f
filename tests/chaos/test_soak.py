"""An accepted request is answered with the same bits whatever it is batched with, for as long as the server lives;
memory, threads, files and the queue's places come back.
"""

import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from tests.support.serving import Running
from tests.support.until import eventually

from .answers import Reference
from .callers import OK, Caller, Crowd, Tally
from .conftest import Form
from .vitals import answered, is_at_rest, scrape, thread_names, vitals

pytestmark = [pytest.mark.chaos, pytest.mark.timing]  # measures time or memory

CLIENTS = 64
MAX_SENTENCES = 300
CALLS_OF_A_LIFE = 12
"""Number of calls, about, after which a client starts again on a connection of its own."""
CANCELLED = 0.1
"""The share of calls that a client gives up."""
LONG = range(200, 257)
"""Tokens of the sentences that take most memory, which are the warm-up's."""
GROWTH_PERCENT = 2.0
SETTLED_PERCENT = 0.5
"""Growth over the most memory so far that still counts as known."""
LOOK_S = 0.25
EXPECTED = {OK, "CANCELLED", "OVERLOADED"}


def live(target: str, reference: Reference, seed: int, stop: threading.Event) -> Tally:
    """Run one client's life: requests of 1 to 300 sentences, some given up, and new connections."""
    tally = Tally()
    with Caller(target, reference, seed=seed, most=MAX_SENTENCES) as caller:
        while not stop.is_set():
            started = time.monotonic()
            if caller.chance.random() < CANCELLED:
                kind = caller.call_and_cancel(caller.chance.random())
            else:
                kind = caller.call()
            tally.note(kind, time.monotonic() - started)
            if kind == "OVERLOADED":
                stop.wait(0.5)
            if caller.chance.random() * CALLS_OF_A_LIFE < 1:
                caller.restart()
    return tally


def work(
    running: Running, reference: Reference, over: Callable[[list[float]], bool], *, seed: int
) -> tuple[Tally, list[float]]:
    """Run all clients until `over`, given the server's memory in MB at every `LOOK_S`, returns True.

    Returns what they saw, and that memory.
    """
    stop, memory = threading.Event(), list[float]()
    crowd = Crowd([partial(live, running.target, reference, seed + number, stop) for number in range(CLIENTS)])
    while not over(memory):
        memory.append(vitals(running.process.pid).rss_mb)
        time.sleep(LOOK_S)  # between two looks at the memory
    stop.set()
    return crowd.tally(within_s=90), memory


def after(seconds: float) -> Callable[[list[float]], bool]:
    """Make an `over` that ends the work once the memory has been looked at for so long."""
    return lambda memory: len(memory) >= seconds / LOOK_S


def settled(seconds: float, most: float) -> Callable[[list[float]], bool]:
    """Make an `over` that ends the work once memory hasn't been larger, `most` at first, for so long.

    A busy machine takes longer to get there. A leak never settles, and is let go on after six times as long: what
    follows the warm-up will show it.
    """

    def over(memory: list[float]) -> bool:
        quiet = int(seconds / LOOK_S)
        if len(memory) < quiet:
            return False
        earlier, late = max([most, *memory[:-quiet]]), max(memory[-quiet:])
        return late <= earlier * (1 + SETTLED_PERCENT / 100) or len(memory) >= 6 * quiet

    return over


def test_soak(serve: Callable[..., Running], reference: Reference, form: Form, record: Callable[..., None]) -> None:
    """Serve 64 clients of mixed sizes, some of which cancel or start again; memory comes back.

    Memory is compared by its peaks: protobuf has malloc hand back what is free after every 10,000 blocks that it frees.
    Resident memory then falls by a twentieth, whenever that is, and climbs again for as long as half a minute.
    """
    running = serve(selftest_s=2)  # a self-test takes memory of its own: the warm-up is to see some
    pid = running.process.pid
    warm, memory = work(running, reference.only(LONG), after(form.pick(15, 60)), seed=1000)
    most = max(memory)
    mixed, memory = work(running, reference, settled(form.pick(12, 120), most), seed=2000)
    warm, most = warm + mixed, max([most, *memory])
    assert eventually(lambda: is_at_rest(running), within_s=10)
    before, names = vitals(pid), thread_names(pid)
    seen, memory = work(running, reference, after(form.pick(60, 1800)), seed=0)
    assert eventually(lambda: is_at_rest(running), within_s=10), scrape(running)
    assert eventually(lambda: vitals(pid).files <= before.files, within_s=30), vitals(pid)
    assert eventually(lambda: vitals(pid).threads <= before.threads, within_s=30), (
        f"{before.threads} → {vitals(pid).threads} threads; new: {thread_names(pid) - names}"
    )

    first, last = max([most, *memory[: len(memory) // 6]]), max(memory[-len(memory) // 3 :])
    growth = 100 * (last / first - 1)
    sent = sum((warm + seen).kinds.values())
    counted = answered(scrape(running))
    record("soak", lost=sent - sum((warm + seen).kinds[kind] for kind in EXPECTED), clients=CLIENTS,
           seconds=form.pick(60, 1800), calls=sum(seen.kinds.values()), answered=seen.kinds[OK],
           cancelled=seen.kinds["CANCELLED"], refused=seen.kinds["OVERLOADED"], rss_mb=last,
           rss_growth_percent=growth, threads=f"{before.threads} → {vitals(pid).threads}",
           files=f"{before.files} → {vitals(pid).files}")  # fmt: skip
    assert set(seen.kinds) <= EXPECTED, seen.kinds
    assert counted["OK"] >= (warm + seen).kinds[OK]
    assert growth <= GROWTH_PERCENT, memory

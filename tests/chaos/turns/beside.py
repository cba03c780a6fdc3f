"""An attack beside one neighbour, who is measured alone first."""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from urllib.parse import urlsplit

import numpy as np

from bothends.server.keys import new
from tests.support.events import counted, events_of, in_words
from tests.support.serving import Running, finish, start

from ..floods import Address
from ..vitals import peak_mb, vitals
from .aside import Aside
from .asks import Ask
from .caller import RIGHT, Call
from .flood import Flood, Taken, flood
from .neighbours import neighbour, newcomers
from .outcome import Outcome

ATTACKER, NEIGHBOUR = "127.0.0.66", "127.0.0.2"
STARVED_S, STARVED_RATIO = 2.0, 30.0
"""What no machine is slow enough for: a call that takes so long, and all of them that take so many times as alone."""
_MAX_WORDS = 3
"""Texts of refusals that a figure shows."""


Doors = Mapping[bool, Address]
"""Where gRPC is asked (True), and HTTP."""


@dataclass(frozen=True)
class Bars:
    """Most that the neighbour's times may be: multiples of what they are alone, and milliseconds."""

    p50_ratio: float | None = 3.0
    p99_ratio: float | None = None
    p99_ms: float | None = None
    newcomer_ms: float | None = None


@dataclass(frozen=True)
class Beside:
    """One attack, its neighbour and the bars. With keys, each party has an unlimited one of its own.

    `leaves` is what must stand of the attacker's network among the transport's events, as `events.counted` has it.
    """

    flood: Flood
    neighbour: Ask
    bars: Bars
    before: str
    is_keyed: bool = False
    source: str = NEIGHBOUR
    leaves: str | None = "accepted"

    def run(self, name: str, *, seconds: float, folder: Path) -> Outcome:
        """Start a server and attack it for so long."""
        keys = [new(party) for party in ("attacker", "neighbour", "newcomer")]
        (folder / "keys.toml").write_text("".join(entry for _, entry in keys), encoding="utf-8")
        with served(*(["--api-keys", str(folder / "keys.toml")] if self.is_keyed else [])) as running:
            by = [key for key, _ in keys] if self.is_keyed else [None] * 3
            return self.attack(name, running, address_of(running), by, seconds)

    def attack(self, name: str, running: Running, doors: Doors, keys: Sequence[str | None], seconds: float) -> Outcome:
        """Attack a server by its doors, or by those of a gateway before it."""
        plan = replace(self.flood, ask=self.flood.ask.by(keys[0]))
        asked = doors[self.neighbour.is_grpc]
        with ExitStack() as asides:
            calling = asides.enter_context(Aside(neighbour, self.neighbour.by(keys[1]), asked, self.source))
            coming = asides.enter_context(Aside(newcomers, self.neighbour.by(keys[2]), asked))
            attacking = asides.enter_context(Aside(flood, plan, doors[plan.ask.is_grpc], ATTACKER))
            calling.go()
            before_mb, alone = vitals(running.process.pid).rss_mb, _window(seconds)
            coming.go()
            attacking.go()
            beside = _window(seconds)
            taken, over = attacking.end(), time.monotonic()
            came, calls = coming.end(), calling.end()
        outcome = Outcome(name)
        events = counted(events_of(running), ATTACKER)
        outcome.figures["events"] = in_words(events)
        if self.leaves is not None and not events[self.leaves]:
            outcome.wrongs.append(f"of the attacker's network it says nowhere: {self.leaves}")
        self._judge(outcome, _within(alone, calls), _within(beside, calls), _within(beside, came))
        outcome.figures |= _of_attack(taken, seconds) | _memory(running, before_mb)
        outcome.figures |= {"back_s": max(0.0, sum(calls[-1][:2]) - over), "before": self.before}
        return outcome

    def _judge(self, outcome: Outcome, alone: list[Call], beside: list[Call], came: list[Call]) -> None:
        """Note the neighbour's figures and the newcomers', what is wrong with them, and which bars they miss."""
        slowest, kinds = max(_ms(came)), Counter(call.kind for call in [*beside, *came])
        outcome.figures |= {
            "others_p50_alone_ms": _percentile(alone, 50),
            "others_p50_ms": _percentile(beside, 50),
            "others_p50_ratio": _percentile(beside, 50) / _percentile(alone, 50),
            "others_mean_ratio": fmean(_ms(beside)) / fmean(_ms(alone)),
            "others_p99_alone_ms": _percentile(alone, 99),
            "others_p99_ms": _percentile(beside, 99),
            "others_longest_ms": max(_ms(beside)),
            "others_alone": len(alone),
            "others": len(beside),
            "lost": kinds.total() - kinds[RIGHT],
            "newcomers": len(came),
            "newcomers_p50_ms": _percentile(came, 50),
            "newcomers_longest_ms": slowest,
        }
        outcome.wrongs += [f"{count} of the others' calls: {kind}" for kind, count in kinds.items() if kind != RIGHT]
        if outcome.figures["others_mean_ratio"] > STARVED_RATIO:  # type: ignore[operator]
            outcome.wrongs.append(f"calls took {outcome.figures['others_mean_ratio']:.0f} times as long as alone")
        if max(_ms([*beside, *came])) > 1000 * STARVED_S:
            outcome.wrongs.append(f"a call took {max(_ms([*beside, *came])) / 1000:.1f} s")
        if self.bars.p50_ratio is not None:
            outcome.hold(float(outcome.figures["others_p50_ratio"]), self.bars.p50_ratio, "p50 over that alone")
        if self.bars.p99_ratio is not None:
            outcome.hold(_percentile(beside, 99) / _percentile(alone, 99), self.bars.p99_ratio, "p99 over that alone")
        if self.bars.p99_ms is not None:
            outcome.hold(_percentile(beside, 99), self.bars.p99_ms, "p99 in ms")
        if self.bars.newcomer_ms is not None:
            outcome.hold(slowest, self.bars.newcomer_ms, "the slowest newcomer's time in ms")


@contextmanager
def served(*flags: str) -> Iterator[Running]:
    """Start a server, and end it however the attack went. What it logs is kept as long as it lives."""
    with tempfile.NamedTemporaryFile() as log:
        running = start(*flags, log=Path(log.name))
        try:
            yield running
        finally:
            finish(running)


def address_of(running: Running) -> Doors:
    """Return a server's own doors."""
    web, (host, _, port) = urlsplit(running.http), running.target.rpartition(":")
    return {True: (host, int(port)), False: (web.hostname or "", web.port or 0)}


def _window(seconds: float) -> tuple[float, float]:
    """Let so much time pass; return its begin and its end."""
    began = time.monotonic()
    time.sleep(seconds)  # the time that is measured
    return began, time.monotonic()


def _within(window: tuple[float, float], calls: list[Call]) -> list[Call]:
    """Return the calls that began in this time, and the one that was on its way as it began."""
    return [call for call in calls if call.began < window[1] and call.began + call.seconds > window[0]]


def _ms(calls: list[Call]) -> list[float]:
    return [1000 * call.seconds for call in calls]


def _percentile(calls: list[Call], percent: float) -> float:
    """Percentile of all calls' times: of one that is lost, the time until it was given up."""
    return float(np.percentile(_ms(calls), percent))


def _of_attack(taken: Taken, seconds: float) -> dict[str, float | str]:
    statuses = ", ".join(f"{count:,} x {status}" for status, count in taken.statuses.items())
    return {
        "sent_bytes": taken.sent_bytes,
        "attackers_answers": statuses or "none",
        "attackers_ended": taken.ended,
        "attackers_cores": taken.cpu_s / seconds,
        "attackers_were_told": "; ".join(text for text, _ in taken.words.most_common(_MAX_WORDS)) or "nothing",
    }


def _memory(running: Running, before_mb: float) -> dict[str, float | str]:
    pid = running.process.pid
    return {"grew_mb": peak_mb(pid) - before_mb, "kept_mb": vitals(pid).rss_mb - before_mb}

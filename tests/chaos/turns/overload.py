"""More single sentences than the server can do, by callers who don't slow down."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .beside import address_of, served
from .load import loading
from .outcome import Outcome

_IN_FLIGHT, _DEADLINE_MS = "128", "250"
"""Of the calls that give the most, how many at once; and how long those of the overload wait."""


@dataclass(frozen=True)
class Overload:
    """So many times the peak, over so many connections, and the bars: share of the peak that is answered in time, and
    how long refusals may take.
    """

    times: float
    connections: int
    min_goodput: float
    before: str
    refusal_p99_ms: float | None = None

    def run(self, name: str, *, seconds: float, folder: Path) -> Outcome:
        """Start a server, measure its peak before and after, and offer more for so long."""
        (folder / "bodies").write_text(
            "the old woman sings of a quiet river and dragons by the sea\n", encoding="utf-8"
        )
        with served() as running:
            port = address_of(running)[True][1]
            peaks = [self._peak(port, folder, seconds)]
            rate = self.times * peaks[0]
            found = self._load(
                port, folder, seconds, "--rate", f"{rate:.1f}", "--deadline-ms", _DEADLINE_MS, "--warmup", "0.5"
            )
            peaks.append(self._peak(port, folder, seconds))
        return self._judged(Outcome(name), found, sum(peaks) / 2, seconds)

    def _peak(self, port: int, folder: Path, seconds: float) -> float:
        return float(self._load(port, folder, seconds, "--concurrency", _IN_FLIGHT, "--warmup", "1")["sentences_per_s"])

    def _load(self, port: int, folder: Path, seconds: float, *flags: str) -> dict[str, Any]:
        where = ["--bodies", str(folder / "bodies"), "--connections", str(self.connections)]
        with loading(port, *where, "--seconds", f"{seconds:g}", *flags) as load:
            return load.result()

    def _judged(self, outcome: Outcome, found: dict[str, Any], peak: float, seconds: float) -> Outcome:
        goodput, refusal_ms = found["ok_within_deadline"] / seconds / peak, found["refused_latency_ms"]["p99"]
        outcome.figures = {
            "peak_a_second": peak,
            "offered_a_second": found["requests"] / seconds,
            "goodput_ratio": goodput,
            "answered_p99_ms": found["latency_ms"]["p99"] or 0.0,
            "refused": found["refused"],
            "refusals_p50_ms": found["refused_latency_ms"]["p50"] or 0.0,
            "refusals_p99_ms": refusal_ms or 0.0,
            "expired": found["expired"],
            "lost": found["unanswered"],
            "send_lag_p99_ms": found["send_lag_ms"]["p99"],
            "before": self.before,
        }
        if found["unanswered"] or not set(found["statuses"]) <= {"0", "4", "8"}:
            outcome.wrongs.append(f"{found['unanswered']} calls without an answer, statuses {found['statuses']}")
        outcome.hold(goodput, self.min_goodput, "goodput over the peak", is_least=True)
        if self.refusal_p99_ms is not None:
            outcome.hold(refusal_ms or 0.0, self.refusal_p99_ms, "refusals' p99 in ms")
        return outcome

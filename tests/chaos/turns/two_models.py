"""Callers of a slow model beside those of a fast one, which the same server has."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..floods import Address
from ..load import loading
from .beside import ATTACKER, NEIGHBOUR, address_of, served
from .outcome import Outcome
from .slow_model import write_slow_model

_WARM_S = "1"


@dataclass(frozen=True)
class TwoModels:
    """So many callers of each, over HTTP, all of whom ask for one sentence after the other."""

    callers: int
    min_share: float
    """Share of the rate alone that the fast model's callers are to keep."""
    before: str
    source: str = NEIGHBOUR

    def run(self, name: str, *, seconds: float, folder: Path) -> Outcome:
        """Start a server of two models, and measure the fast one's callers alone and beside the slow one's."""
        slow = write_slow_model(folder / "slow")
        (folder / "bodies").write_text(
            "the old woman sings of a quiet river and dragons by the sea\n", encoding="utf-8"
        )
        with served("--bundle", "english=?precision=int8", "--bundle", f"slow={slow.path}") as running:
            web = address_of(running)[False]
            alone = self._rate(web, folder, "english", seconds)
            slow_alone = self._rate(web, folder, "slow", seconds)
            with loading(web[1], *self._flags(folder, "slow", ATTACKER, 3 * seconds)) as slowly:
                slowly.begin()
                beside = self._rate(web, folder, "english", seconds)
                attack = slowly.result()
        return self._judged(Outcome(name), alone, beside, slow_alone, attack)

    def _rate(self, web: Address, folder: Path, model: str, seconds: float) -> dict[str, Any]:
        with loading(web[1], *self._flags(folder, model, self.source, seconds)) as load:
            return load.result()

    def _flags(self, folder: Path, model: str, source: str, seconds: float) -> list[str]:
        asked = ["--protocol", "http", "--body", "openai", "--model", model, "--bodies", str(folder / "bodies")]
        how = ["--concurrency", str(self.callers), "--warmup", _WARM_S, "--seconds", f"{seconds:g}"]
        return [*asked, *how, "--source", source, "--min-response-bytes", "2000"]

    def _judged(self, outcome: Outcome, alone: Any, beside: Any, slow_alone: Any, attack: Any) -> Outcome:
        share = beside["sentences_per_s"] / alone["sentences_per_s"]
        outcome.figures = {
            "fast_a_second_alone": round(alone["sentences_per_s"]),
            "fast_a_second": round(beside["sentences_per_s"]),
            "share_ratio": share,
            "fast_p50_alone_ms": alone["latency_ms"]["p50"],
            "fast_p50_ms": beside["latency_ms"]["p50"],
            "fast_p99_ms": beside["latency_ms"]["p99"],
            "slow_a_second_alone": round(slow_alone["sentences_per_s"]),
            "slow_a_second": round(attack["sentences_per_s"]),
            "before": self.before,
        }
        for load in (alone, beside, slow_alone, attack):
            if set(load["statuses"]) != {"200"} or load["unanswered"] or load["short_answers"]:
                outcome.wrongs.append(f"answers {load['statuses']}, {load['short_answers']} of them short")
        outcome.hold(share, self.min_share, "the fast model's rate over that alone", is_least=True)
        return outcome

"""Measures the engines by themselves, in slices in which they take turns. What serves is measured by comparison/."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import engines
import machine
from ceiling import BATCHES, SORTED_BATCHES, Engines
from progress import Show
from results import Results
from sentences import Sentences


@dataclass(frozen=True, slots=True)
class Options:
    """Amounts that are measured."""

    rounds: int = 3
    turns: int = 4
    """Turns of the engines at each of their schedules, in a round."""
    sample: int = 2000
    """Sentences in a turn."""

    @property
    def round_s(self) -> float:
        """Rough seconds that an engine takes in a round. Only the progress bar uses them, as the next."""
        return self.sample / 2000 * (len(SORTED_BATCHES) + len(BATCHES)) / 4 * (1 + self.turns)

    def total_s(self) -> float:
        """Rough seconds that a run takes."""
        return self.rounds * self.round_s * len(engines.built())


FULL = Options()
QUICK = Options(rounds=1, turns=1, sample=300)


class Suite:
    """One run of the engines by themselves."""

    def __init__(self, options: Options, sentences: Sentences, *, folder: Path, show: Show) -> None:
        """Load every engine that is built. Nothing is written to `folder`, which other suites need."""
        del folder
        self._options, self._show = options, show
        self._names: Sequence[str] = engines.built()
        self._alone = Engines(sentences.texts, sample=options.sample, names=self._names)
        about = {"source": sentences.source, "count": len(sentences.texts), "mean_tokens": self._alone.mean_tokens}
        self._results = Results(machine.describe(), asdict(options), about)

    def run(self) -> Results:
        """Measure everything."""
        options = self._options
        for number in range(1, options.rounds + 1):
            text = f"tokenizer and engines by themselves, round {number} of {options.rounds}"
            with self._show.doing(text, options.round_s * len(self._names)):
                self._alone.measure_slice(turns=options.turns)
        self._results.ceilings = self._alone.ceilings()
        self._results.tokenise_cpu_s_per_1000 = self._alone.tokenise_cpu_s_per_1000
        return self._results

"""The whole measurement, in the order it runs: rounds of every server under every load, then batches, then memory."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import generator
import machine
from ceiling import BATCHES, CORES, Engine
from loads import CLOSED, OPEN, PEAK, Load, unary
from longrun import measure_memory
from progress import Show
from results import OURS, Memory, Results, Row, Window, medians
from sentences import Sentences
from servers import MOSEC_BATCHES, Server, start_mosec, start_naive, start_ours

_WINDOWS = (1, 2, 4, 8, 16, 32, 64)
_PEERS = 1 + len(MOSEC_BATCHES)
_START_S = 1.5
"""About how long a server takes to start and stop; of use to the progress bar alone, as are all sums of `Options`."""


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured."""

    seconds: float = 6.0
    warmup_s: float = 1.5
    rounds: int = 2
    window_s: float = 4.0
    rss_sentences: int = 1_000_000
    sample: int = 2000
    """Sentences in a slice of the ceiling, and in the load of one request at a time."""

    @property
    def row_s(self) -> float:
        """About how long a row takes."""
        return self.warmup_s + self.seconds + 0.2

    @property
    def slice_s(self) -> float:
        """About how long a slice of the ceiling takes."""
        return self.sample / 2000 * (2 + len(BATCHES) * (1 + 1 / CORES))

    @property
    def memory_s(self) -> float:
        """About how long the long run takes."""
        return self.rss_sentences / 3000 + _START_S

    @property
    def window_row_s(self) -> float:
        """About how long each limit on batches takes."""
        return _START_S + self.warmup_s + self.window_s

    @property
    def total_s(self) -> float:
        """About how long a run takes."""
        rounds = self.rounds * (len(CLOSED) * (1 + _PEERS) + len(OPEN)) * self.row_s
        slices = (self.rounds + 1) * self.slice_s
        return _START_S * (1 + _PEERS) + rounds + slices + len(_WINDOWS) * self.window_row_s + self.memory_s


FULL = Options()
QUICK = Options(seconds=0.7, warmup_s=0.2, rounds=1, window_s=0.5, rss_sentences=20_000, sample=300)


class Suite:
    """One run."""

    def __init__(self, options: Options, sentences: Sentences, *, folder: Path, show: Show) -> None:
        """`folder` takes logs and request bodies. Builds the load generator; raises ClickException where it can't."""
        generator.build()
        self._options, self._folder, self._show = options, folder, show
        self._engine = Engine(sentences.texts, sample=options.sample)
        self._bodies = generator.write_bodies(folder / "sentences.txt", sentences.texts)
        self._sample = generator.write_bodies(folder / "sample.txt", self._engine.sample)
        self._rows: list[Row] = []
        about = {"source": sentences.source, "count": len(sentences.texts), "mean_tokens": self._engine.mean_tokens}
        self._results = Results(machine.describe(), asdict(options), about)

    def run(self) -> Results:
        """Measure everything. Whatever ends it, no server is left running."""
        with ExitStack() as running:
            servers = self._start(running)
            for number in range(1, self._options.rounds + 1):
                self._slice()
                self._round(servers, f"round {number} of {self._options.rounds}")
            self._slice()
        self._results.rows = medians(self._rows)
        self._results.ceiling = self._engine.ceiling()
        self._results.windows = [self._window(max_rows) for max_rows in _WINDOWS]
        self._results.memory = self._memory()
        return self._results

    def _start(self, running: ExitStack) -> list[Server]:
        """All of them, ours first. They live through all rounds: one whose turn it isn't takes next to no time."""
        mosecs = [partial(start_mosec, batch, workers=CORES) for batch in MOSEC_BATCHES]
        starts: list[Callable[[Path], Server]] = [start_ours, *mosecs, start_naive]
        servers = []
        for start in starts:
            with self._show.doing("starting the servers", _START_S):
                servers.append(running.enter_context(start(self._folder)))
        return servers

    def _slice(self) -> None:
        with self._show.doing("the ceiling: tokenizer and engine by themselves", self._options.slice_s):
            self._engine.measure_slice()

    def _round(self, servers: list[Server], text: str) -> None:
        """Servers take turns at each load, so that the machine's other work falls on all of them alike."""
        ours, peak = servers[0], 0.0
        for load in CLOSED:
            for server in servers:
                row = self._measure(server, load, text)
                if (server, load) == (ours, PEAK):
                    peak = row.sentences_per_s
        for load in OPEN:
            self._measure(ours, load.of(peak), text, peak_per_s=peak)

    def _measure(self, server: Server, load: Load, text: str, *, peak_per_s: float | None = None) -> Row:
        options, bodies = self._options, self._bodies
        with self._show.doing(f"{text} · {load.name} · {server.name}", options.row_s):
            if load == unary(1):
                bodies = self._sample
                if server.name == OURS:  # set beside the engine's own time: of the same sentences, in the same moments
                    self._engine.measure_one_by_one()
            row = generator.measure(server, load, bodies, warmup_s=options.warmup_s, seconds=options.seconds)
        row = replace(row, peak_per_s=peak_per_s)
        self._rows.append(row)
        self._show.row(row)
        return row

    def _window(self, max_rows: int) -> Window:
        options, flags = self._options, ("--max-batch-rows", str(max_rows))
        with (
            self._show.doing(f"batches of at most {max_rows} sentences", options.window_row_s),
            start_ours(self._folder, *flags) as server,
        ):
            row = generator.measure(server, PEAK, self._bodies, warmup_s=options.warmup_s, seconds=options.window_s)
        return Window(max_rows, row.sentences_per_s, row.cpu_s_per_1000, row.batch_rows)

    def _memory(self) -> Memory:
        total = self._options.rss_sentences
        with (
            self._show.doing(f"memory over {total:,} sentences", self._options.memory_s) as advance,
            start_ours(self._folder) as server,
        ):
            return measure_memory(server, self._bodies, total=total, advance=advance)

"""The whole measurement, in the order it runs: rounds of every server under every load, then batches, then memory."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import cycle
from pathlib import Path

import engines
import generator
import machine
from ceiling import BATCHES, CORES, SORTED_BATCHES, Engines
from load.build import build
from loads import CLOSED, FEWER, OPEN, PEAK, Load, unary
from progress import Show
from results import BF16, INT8, Memory, Results, Row, Window, medians, ours
from sentences import Sentences
from servers import MOSEC_BATCHES, Server, start_mosec, start_naive, start_ours

_START_S = 1.5
"""Rough seconds that a server takes to start and stop. Only the progress bar uses them, as all sums of `Options`."""
_MEMORY_BATCHES = (32, 1, 32, 7, 128, 32, 2, 64, 300)
"""Sentences in a request while memory is measured, in turn."""


@dataclass(frozen=True, slots=True)
class Options:
    """Amounts that are measured."""

    seconds: float = 4.0
    warmup_s: float = 1.0
    rounds: int = 3
    turns: int = 3
    """Turns of the engines at each of their schedules, in a slice of the ceilings."""
    window_s: float = 3.0
    windows: Sequence[int] = (1, 2, 4, 8, 16, 32, 64)
    rss_sentences: int = 1_000_000
    sample: int = 2000
    """Sentences in a slice of the ceilings, and in the load of one request at a time."""

    @property
    def row_s(self) -> float:
        """Rough seconds that a row takes."""
        return self.warmup_s + self.seconds + 0.2

    @property
    def turn_s(self) -> float:
        """Rough seconds that a turn of an engine takes."""
        return self.sample / 2000 * (len(SORTED_BATCHES) + len(BATCHES)) / 4

    @property
    def memory_s(self) -> float:
        """Rough seconds that the long run takes."""
        return self.rss_sentences / 4000 + _START_S

    @property
    def window_row_s(self) -> float:
        """Rough seconds that each limit on batches takes."""
        return _START_S + self.warmup_s + self.window_s

    def slice_s(self, names: Sequence[str]) -> float:
        """Rough seconds that a slice of the ceilings takes."""
        return self.turn_s * (1 + self.turns) * len(names)

    def total_s(self, names: Sequence[str]) -> float:
        """Rough seconds that a run takes, with these engines."""
        peers = 1 + len(MOSEC_BATCHES)
        rows = len(CLOSED) * peers + sum(len(_loads(name)) for name in names) + len(OPEN)
        slices = (self.rounds + 1) * self.slice_s(names)
        windows = len(self.windows) * len(_whole(names)) * self.window_row_s
        starts = _START_S * (len(names) + peers)
        return starts + self.rounds * rows * self.row_s + slices + windows + self.memory_s


FULL = Options()
QUICK = Options(
    seconds=0.7, warmup_s=0.2, rounds=1, turns=1, window_s=0.5, windows=(1, 8, 64), rss_sentences=20_000, sample=300
)


class Suite:
    """One run of the whole measurement."""

    def __init__(self, options: Options, sentences: Sentences, *, folder: Path, show: Show) -> None:
        """`folder` takes logs and request bodies. Builds the load generator; raises ClickException where it can't."""
        build()
        self._options, self._folder, self._show = options, folder, show
        self._names = engines.built()
        self._alone = Engines(sentences.texts, sample=options.sample, names=self._names)
        self._bodies = generator.write_bodies(folder / "sentences.txt", sentences.texts)
        self._sample = generator.write_bodies(folder / "sample.txt", self._alone.sample)
        self._rows: list[Row] = []
        about = {"source": sentences.source, "count": len(sentences.texts), "mean_tokens": self._alone.mean_tokens}
        self._results = Results(machine.describe(), asdict(options), about, engines.default())

    def run(self) -> Results:
        """Measure everything. Whatever ends it, no server is left running."""
        with ExitStack() as running:
            servers = self._start(running)
            for number in range(1, self._options.rounds + 1):
                self._slice()
                self._round(servers, f"round {number} of {self._options.rounds}")
            self._slice()
        self._results.rows = medians(self._rows)
        self._results.ceilings = self._alone.ceilings()
        self._results.tokenise_cpu_s_per_1000 = self._alone.tokenise_cpu_s_per_1000
        self._results.windows = [
            self._window(name, limit) for limit in self._options.windows for name in _whole(self._names)
        ]
        self._results.memory = self._memory()
        return self._results

    def _start(self, running: ExitStack) -> list[Server]:
        """Start all servers, ours first. They live through all rounds: an idle one takes next to no time."""
        starts: list[Callable[[Path], Server]] = [partial(start_ours, engine=name) for name in self._names]
        starts += [partial(start_mosec, batch, workers=CORES) for batch in MOSEC_BATCHES]
        servers = []
        for start in (*starts, start_naive):
            with self._show.doing("starting the servers", _START_S):
                servers.append(running.enter_context(start(self._folder)))
        return servers

    def _slice(self) -> None:
        options = self._options
        with self._show.doing("the ceilings: tokenizer and engines by themselves", options.slice_s(self._names)):
            self._alone.measure_slice(turns=options.turns)

    def _round(self, servers: list[Server], text: str) -> None:
        """Measure every server at each load in turns, so that the machine's other work falls on all of them alike."""
        peak = 0.0
        (default,) = (server for server in servers if server.name == ours(self._results.default))
        for load in CLOSED:
            for server in servers:
                if load in _loads(server.engine):
                    row = self._measure(server, load, text)
                    if (server, load) == (default, PEAK):
                        peak = row.sentences_per_s
        for load in OPEN:
            self._measure(default, load.of(peak), text, peak_per_s=peak)

    def _measure(self, server: Server, load: Load, text: str, *, peak_per_s: float | None = None) -> Row:
        options, bodies = self._options, self._bodies
        with self._show.doing(f"{text} · {load.name} · {server.name}", options.row_s):
            if load == unary(1):
                bodies = self._sample
                if server.engine:  # set beside the engine's own time: of the same sentences, in the same moments
                    self._alone.measure_one_by_one(server.engine)
            row = generator.measure(server, load, bodies, warmup_s=options.warmup_s, seconds=options.seconds)
        row = replace(row, peak_per_s=peak_per_s)
        self._rows.append(row)
        self._show.row(row)
        return row

    def _window(self, engine: str, max_rows: int) -> Window:
        options = self._options
        with (
            self._show.doing(f"batches of at most {max_rows} sentences · {ours(engine)}", options.window_row_s),
            start_ours(self._folder, engine=engine, max_batch_rows=max_rows) as server,
        ):
            row = generator.measure(server, PEAK, self._bodies, warmup_s=options.warmup_s, seconds=options.window_s)
        return Window(engine, max_rows, row.sentences_per_s, row.cpu_s_per_1000, row.batch_rows)

    def _memory(self) -> Memory:
        total = self._options.rss_sentences
        with (
            self._show.doing(f"memory over {total:,} sentences", self._options.memory_s) as advance,
            start_ours(self._folder, engine=self._results.default) as server,
        ):
            return self._memory_of(server, total, advance)

    def _memory_of(self, server: Server, total: int, advance: Callable[[float], None]) -> Memory:
        """Measure resident memory every few seconds until `total` sentences were answered, in mixed requests."""
        seconds = max(0.2, min(3.0, total / 300_000))
        counts, rss_mb = [0], [server.process.rss_bytes() / 1e6]
        for batch in cycle(_MEMORY_BATCHES):
            if counts[-1] >= total:
                break
            load = Load(f"{batch} sentences × 8", batch=batch, concurrency=8)
            row = generator.measure(server, load, self._bodies, warmup_s=0, seconds=seconds)
            counts.append(int(server.scrape()["sentence_tokens_count"]))
            rss_mb.append(row.rss_mb)
            advance(counts[-1] / total)
        return Memory(counts, rss_mb)


def _whole(names: Sequence[str]) -> list[str]:
    """Return the engines that are measured under everything: with the weights as they are, no less precise."""
    return [name for name in names if name not in (BF16, INT8)]


def _loads(engine: str | None) -> Sequence[Load]:
    """Return the closed loops of a server on that engine; None is a peer."""
    return FEWER if engine in (BF16, INT8) else CLOSED

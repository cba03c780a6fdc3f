"""The whole run: rounds in which all servers take turns at each load, so that other work falls on all of them alike."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import click

import generator
import machine
import tritonserver
from bothends.model.bundle import Bundle, default_path
from load.build import build
from loads import Load
from progress import Show
from results import FLOAT32, Row, medians, ours
from sentences import Sentences
from servers import Server
from tokens import tokenizer_of

from .loads import CELLS, EMPTY, PAIRS, SHORT, STORMS
from .results import ComparisonResults, Empty, Neighbours, fastest
from .starting import Servers
from .storms import Weather

T = TypeVar("T")
_SETTINGS = 2
"""Settings of a peer that go on after the first round: those that did best in it. Longer sentences are for the best."""


@dataclass(frozen=True, slots=True)
class Options:
    """Amounts that are measured."""

    seconds: float = 1.8
    warmup_s: float = 0.3
    rounds: int = 3
    most_other_cores: float = 0.3
    """Cores of other work beyond which a row is measured anew, once."""

    def total_s(self, servers: int = 15, transports: int = 2) -> float:
        """Rough seconds that a run takes. Only the progress bar uses it, with the sums below."""
        cells = len(CELLS) * (servers + (self.rounds - 1) * (3 * transports + 2 * _SETTINGS + 1) + self.rounds * 6)
        rest = len(EMPTY) + 3 * len(PAIRS) + 6 * len(STORMS)
        return (cells + self.rounds * transports * rest) * self.row_s + 3 * servers

    @property
    def row_s(self) -> float:
        """Rough seconds that a row takes."""
        return self.warmup_s + self.seconds + 0.2


FULL = Options()
QUICK = Options(seconds=0.3, warmup_s=0.1, rounds=1)


class ComparisonSuite:
    """One run of the whole measurement."""

    def __init__(self, options: Options, sentences: Sentences, *, folder: Path, show: Show) -> None:
        """`folder` takes logs and request bodies. Builds the load generator; raises ClickException where it can't."""
        build()
        self._options, self._folder, self._show = options, folder, show
        self._servers = Servers()
        self._first: list[Row] = []
        """Rows of the first round, once it has all."""
        short, longer = _by_length(sentences.texts)
        self._text = short[0][1]
        self._short, self._longer = (
            generator.write_bodies(folder / name, [text for _, text in texts])
            for name, texts in (("short.txt", short), ("longer.txt", longer))
        )
        about = {
            name: {
                "source": sentences.source,
                "count": len(texts),
                "mean_tokens": sum(tokens for tokens, _ in texts) / len(texts),
            }
            for name, texts in (("short", short), ("longer", longer))
        }
        self._results = ComparisonResults(machine.describe() | tritonserver.version(), asdict(options), about)

    def run(self) -> ComparisonResults:
        """Measure everything. Whatever ends it, no server is left running."""
        found = self._results
        with ExitStack() as stack:
            with self._show.doing("starting the servers", 45):
                self._servers.start(self._folder, stack)
            found.transports, found.skipped = self._servers.transports, self._servers.skipped
            for number in range(1, self._options.rounds + 1):
                self._round(f"round {number} of {self._options.rounds}")
        self._keep_chosen()
        for name in ("rows", "longer", "empty", "storms", "neighbours"):
            setattr(found, name, medians(getattr(found, name)))
        return found

    def _keep_chosen(self) -> None:
        """Drop what only the first round has: one lucky row is no median."""
        if self._options.rounds > 1:
            names = {(server.name, load.name) for load in CELLS for server in self._chosen(load, _SETTINGS)}
            self._results.rows = [row for row in self._results.rows if (row.server, row.load) in names]

    def _round(self, text: str) -> None:
        found = self._results
        for load in CELLS:
            for server in self._chosen(load, _SETTINGS):
                found.rows += self._row(server, load, self._short, text)
        self._first = self._first or list(found.rows)
        for load in CELLS:
            for server in self._chosen(load, 1):
                if server.engine is None or server.name == found.judged(server.engine):
                    found.longer += self._row(server, load, self._longer, f"{text}, longer sentences")
        transports = {ours(FLOAT32, transport) for transport in found.transports}
        for server in [server for server in self._servers.running if server.name in transports]:
            self._transport(server)

    def _transport(self, server: Server) -> None:
        """Measure what isn't compared with peers: what calls cost, who waits for whom, and more than it can do."""
        found = self._results
        for empty in EMPTY:
            found.empty += self._try(server, empty.name, 1, partial(self._empty, server, empty))
        for load, other in PAIRS:
            measure = partial(self._neighbours, server, load, other)
            found.neighbours += self._try(server, f"{load.name}, beside {other.name}", 3, measure)
        for peak, storms in STORMS:
            weather = Weather(server, self._short, self._text, **self._times)
            for measured in self._try(server, f"storms over {peak.name}", 6, partial(weather.measure, peak, storms)):
                found.storms += measured

    def _chosen(self, load: Load, settings: int) -> list[Server]:
        """Return our servers and, of each peer, those whose settings did best at that load in the first round.

        Return all while that isn't over.
        """
        running = self._servers.running
        if not self._first:
            return list(running)
        names = fastest([row for row in self._first if row.load == load.name], settings)
        return [server for server in running if server.engine is not None or server.name in names]

    def _try(self, server: Server, what: str, rows: int, measure: Callable[[], T]) -> list[T]:
        """Measure one thing, which takes as long as so many rows; where it can't be had, a line says why.

        A server that died is measured no more.
        """
        with self._show.doing(f"{what} · {server.name}", rows * self._options.row_s):
            try:
                return [measure()]
            except click.ClickException as error:
                self._results.skipped.append(f"{server.name}, {what}: {error.message.splitlines()[0]}")
                if not server.process.is_alive():
                    self._servers.running.remove(server)
                return []

    @property
    def _times(self) -> dict[str, float]:
        return {"warmup_s": self._options.warmup_s, "seconds": self._options.seconds}

    def _row(self, server: Server, load: Load, bodies: Path, text: str) -> list[Row]:
        measure = partial(generator.measure, server, load, bodies, **self._times)
        found = self._try(server, f"{text} · {load.name}", 1, measure)
        if found and (found[0].other_cores or 0) > self._options.most_other_cores:
            found += self._try(server, f"{text} · {load.name}, again", 1, measure)
        best = sorted(found, key=lambda row: row.other_cores or 0)[:1]
        for row in best:
            self._show.row(row)
        return best

    def _empty(self, server: Server, load: Load) -> Empty:
        ran = generator.run(server, load, self._short, **self._times)
        calls = ran.found["ok"]
        if not calls:
            raise click.ClickException(f"no call was answered; statuses {ran.found['statuses']}")
        return Empty(server.name, load.name, calls / ran.found["seconds"], 1e6 * ran.server_cpu_s / calls)

    def _neighbours(self, server: Server, load: Load, other: Load) -> Neighbours:
        alone = generator.measure(server, load, self._short, **self._times)
        assert alone.p99_ms is not None
        with generator.beside(server, other, self._short, warmup_s=self._options.warmup_s):
            found = generator.run(server, load, self._short, **self._times).found
        answered = found["ok"] / max(1, found["requests"])
        name = f"{load.name}, beside {other.name}"
        return Neighbours(server.name, name, alone.p99_ms, found["latency_ms"]["p99"], answered)


def _by_length(texts: Sequence[str]) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Return sentences with their number of tokens: as people send them, and longer ones."""
    tokens = tokenizer_of(Bundle.open(default_path())).encode(texts)
    counted = [(len(each.ids), text) for each, text in zip(tokens, texts, strict=True)]
    short, longer = (
        [each for each in counted if each[0] in SHORT],
        [each for each in counted if each[0] >= SHORT.stop],
    )
    if not (short and longer):
        raise click.ClickException(
            f"there must be sentences of {SHORT.start} to {SHORT.stop - 1} tokens, and longer ones"
        )
    return short, longer

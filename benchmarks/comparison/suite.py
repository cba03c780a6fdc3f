"""The whole run: rounds in which all servers take turns at each load, so that other work falls on all of them alike."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import click

import engines
import generator
import machine
from bothends.model.bundle import Bundle, default_path
from ceiling import Alone as EngineAlone
from load.build import build
from loads import Load
from progress import Show
from results import FLOAT32, IDLE, INT8, Row, medians
from sentences import Sentences
from servers import MOSEC_BATCHES, Server
from tokens import token_ids, tokenizer_of

from .forms import BASE64, FORMS, SHARE, form_of, forms_at
from .loads import CELLS, EMPTY, FED, LONG_CELLS, LONG_LISTS, PAIRS, SHORT, STORMS
from .results import Alone, ComparisonResults, Empty, Neighbours, fastest
from .shards import APART, FEW, HELD, ITSELF, MANY, ONE, TOGETHER, count_held, weigh
from .starting import ENGINES, ON_GRPCIO, Servers
from .storms import Weather

T = TypeVar("T")
_SETTINGS = 2
"""Settings of mosec that are compared: those that did best before. Longer sentences are for the best."""
_SORTING = 0.5
"""Share of a row's time that each setting of mosec gets beforehand, to find its best."""
_CEILING_SENTENCES = 4096
_CEILING_S, _CEILING_TURNS = 1.5, 3
"""Rough seconds of an engine by itself in a round, and its turns in each."""


@dataclass(frozen=True, slots=True)
class Options:
    """Amounts that are measured."""

    seconds: float = 1.5
    warmup_s: float = 0.3
    rounds: int = 3
    max_other_cores: float = 0.3
    """Cores of other work beyond which a row is measured anew, once."""
    calls: int = 100_000
    """Calls after which memory is measured."""

    def total_s(self) -> float:
        """Rough seconds that a run takes. Only the progress bar uses it."""
        ours, settings = len(ENGINES) + len(ON_GRPCIO), len(MOSEC_BATCHES)
        forms = sum(len(form.engines) * len(form.loads) for form in (*FORMS, SHARE)) + 1 + len(FED)
        cells = len(CELLS) * (ours + _SETTINGS) + len(LONG_CELLS) * (len(ENGINES) + 1) + forms
        rest = len(EMPTY) + 3 * len(PAIRS) + 6 * len(STORMS) + sum(map(len, HELD.values())) + 6 * len(CELLS)
        rounds = self.rounds * ((cells + rest) * self.row_s + _CEILING_S)
        return rounds + len(CELLS) * settings * _SORTING * self.row_s + 3 * (ours + settings + 2)

    @property
    def row_s(self) -> float:
        """Rough seconds that a row takes."""
        return self.warmup_s + self.seconds + 0.2


FULL = Options()
QUICK = Options(seconds=0.3, warmup_s=0.1, rounds=1, calls=10_000)


class ComparisonSuite:
    """One run of the whole measurement."""

    def __init__(self, options: Options, sentences: Sentences, *, folder: Path, show: Show) -> None:
        """`folder` takes logs and request bodies. Builds the load generator; raises ClickException where it can't."""
        build()
        self._options, self._folder, self._show = options, folder, show
        self._servers = Servers()
        self._before: list[Row] = []
        """Rows of all settings of mosec, by which the best are chosen."""
        short, longer = _by_length(sentences.texts)
        self._texts = [text for _, text in short]
        self._ceiling = _ceiling(self._texts)
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
        self._results = ComparisonResults(machine.describe(), asdict(options), about)

    def run(self) -> ComparisonResults:
        """Measure everything. Whatever ends it, no server is left running."""
        found = self._results
        with ExitStack() as stack:
            with self._show.doing("starting the servers", 45):
                self._servers.start(self._folder, stack)
            found.transports, found.skipped = self._servers.transports, self._servers.skipped
            self._sort_settings()
            for number in range(1, self._options.rounds + 1):
                self._round(f"round {number} of {self._options.rounds}")
        self._shards()
        for name in ("rows", "longer", "empty", "storms", "neighbours"):
            setattr(found, name, medians(getattr(found, name)))
        if self._ceiling:
            best = self._ceiling.ceiling().best
            schedule = f"batches of {best.batch} on {best.threads} threads"
            found.alone = [Alone(INT8, schedule, best.sentences_per_s, best.cpu_s_per_1000)]
        return found

    def _sort_settings(self) -> None:
        """Measure each setting of mosec shortly, to find the best at each load."""
        times = {"warmup_s": self._options.warmup_s * _SORTING, "seconds": self._options.seconds * _SORTING}
        for load in CELLS:
            for server in [server for server in self._servers.running if server.engine is None]:
                measure = partial(generator.measure, server, load, self._short, **times)
                self._before += self._try(server, f"settings of mosec · {load.name}", _SORTING, measure)

    def _round(self, text: str) -> None:
        found = self._results
        for load in CELLS:
            for server in self._chosen(load, _SETTINGS):
                for form in self._forms(server, load):
                    found.rows += self._row(form, load, self._short, text)
        for load in LONG_CELLS:
            for server in self._chosen(load, 1):
                if server.engine is None or server.name == found.judged(server.engine):
                    found.longer += self._row(server, load, self._longer, f"{text}, longer sentences")
        self._beside(text)
        for server in [server for server in self._servers.running if server.name == found.judged(FLOAT32)]:
            self._transport(server)

    def _forms(self, server: Server, load: Load) -> list[Server]:
        """Return the server, and where it is judged, its like with one shard, and what callers of other forms know it
        as, to be measured in turn.
        """
        if server.engine is None or server.name != self._results.judged(server.engine):
            return [server]
        keyed = self._servers.beside.get(form_of(server.name, SHARE)) if load in SHARE.loads else None
        one = self._servers.beside.get(ONE.of(server.name))
        same = [one, BASE64.on(one)] if one else []
        return [server, *same, *(form.on(server) for form in forms_at(server, load)), *([keyed] if keyed else [])]

    def _beside(self, text: str) -> None:
        """Measure long lists beside what the engine does by itself, and a device that takes no time."""
        found = self._results
        for server in [server for server in self._servers.running if server.name == found.judged(INT8)]:
            found.rows += self._row(server, LONG_LISTS, self._short, text)
        if self._ceiling:
            with self._show.doing(f"{text} · {INT8} by itself", _CEILING_S):
                self._ceiling.measure_one_by_one()
                for _ in range(_CEILING_TURNS):
                    self._ceiling.measure_schedules()
        for load in CELLS:
            for split in (MANY, FEW):
                if server_of := self._servers.beside.get(split.of(found.judged(INT8))):
                    found.rows += self._row(server_of, load, self._short, text)
        if device := self._servers.beside.get(IDLE):
            for load in FED:
                found.rows += self._row(device, load, self._short, text)

    def _shards(self) -> None:
        """Count mutexes, and measure the memory of shards, each on a server of its own."""
        found, options, has_shards = self._results, self._options, self._servers.has_shards
        for split in [each for each in HELD if INT8 in engines.built() and (has_shards or each is ITSELF)]:
            rows, what = options.rounds * len(HELD[split]), f"mutexes, {split.name or 'as it comes'}"
            count = partial(count_held, split, self._texts, rounds=options.rounds, **self._times)
            found.held += self._apart(what, rows, count)
        for split in (TOGETHER, APART) if has_shards else ():
            measure = partial(weigh, split, self._folder, self._short, transport="native", calls=options.calls)
            found.memory += self._apart(f"memory, {split.name}", 2, measure)

    def _apart(self, what: str, rows: float, measure: Callable[[], Iterable[T]]) -> list[T]:
        """Measure on a server that `measure` starts; where that can't be, a line says why."""
        with self._show.doing(what, rows * self._options.row_s):
            try:
                return list(measure())
            except click.ClickException as error:
                self._results.skipped.append(f"{what}: {error.message.splitlines()[-1].strip()}")
                return []

    def _transport(self, server: Server) -> None:
        """Measure what isn't compared with mosec: what calls cost, who waits for whom, and more than it can do."""
        found = self._results
        for empty in EMPTY:
            found.empty += self._try(server, empty.name, 1, partial(self._empty, server, empty))
        for load, other in PAIRS:
            measure = partial(self._neighbours, server, load, other)
            found.neighbours += self._try(server, f"{load.name}, beside {other.name}", 3, measure)
        for peak, storms in STORMS:
            weather = Weather(server, self._short, self._texts[0], **self._times)
            for measured in self._try(server, f"storms over {peak.name}", 6, partial(weather.measure, peak, storms)):
                found.storms += measured

    def _chosen(self, load: Load, settings: int) -> list[Server]:
        """Return our servers and those of mosec whose settings did best at that load before."""
        names = fastest([row for row in self._before if row.load == load.name], settings)
        return [server for server in self._servers.running if server.engine is not None or server.name in names]

    def _try(self, server: Server, what: str, rows: float, measure: Callable[[], T]) -> list[T]:
        """Measure one thing, which takes as long as so many rows; where it can't be had, a line says why.

        A server that died is measured no more.
        """
        with self._show.doing(f"{what} · {server.name}", rows * self._options.row_s):
            try:
                return [measure()]
            except click.ClickException as error:
                self._results.skipped.append(f"{server.name}, {what}: {error.message.splitlines()[0]}")
                if not server.process.is_alive():
                    self._servers.forget(server.process)
                return []

    @property
    def _times(self) -> dict[str, float]:
        return {"warmup_s": self._options.warmup_s, "seconds": self._options.seconds}

    def _row(self, server: Server, load: Load, bodies: Path, text: str) -> list[Row]:
        measure = partial(generator.measure, server, load, bodies, **self._times)
        found = self._try(server, f"{text} · {load.name}", 1, measure)
        if found and (found[0].other_cores or 0) > self._options.max_other_cores:
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


def _ceiling(texts: Sequence[str]) -> EngineAlone | None:
    """Return the engine in int8, where it is built, with as many sentences as make several batches for each thread."""
    if INT8 not in engines.built():
        return None
    bundle = Bundle.open(default_path())
    return EngineAlone(INT8, bundle, token_ids(bundle, texts) * -(-_CEILING_SENTENCES // len(texts)))

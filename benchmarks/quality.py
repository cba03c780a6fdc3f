"""The worth of an encoder's vectors against their cost, by both engines, beside MiniLM and averaged token vectors.

python benchmarks/quality.py [--sentences FILE]                      # times
python benchmarks/quality.py --sts TEST.tsv [--retrieval FOLDER]     # prints scores, and writes nothing
python benchmarks/quality.py --again                                 # draws and writes what was measured

Every model gets token ids sorted by length in batches of a size that suits it, one thread; its tokenizer counts too.
Rounds are interleaved, so that all share what else the machine does. Writes benchmarks/encoder.json, and what documents
show of it and of benchmarks/quality.json.
"""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import click
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

import quality_page
from bothends.embeddings import nested
from bothends.engines.native import NativeEngine
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle, default_path
from bothends_export.export import lift
from bothends_training.evaluate import Pairs, read_pairs, spearman
from bothends_training.trials import read_collection
from machine import describe
from minilm import mini_lms
from sentences import Sentences, load
from tokens import tokenizer_of

BATCHES = (1, 8, 32)
"""Sizes tried; each model's best counts."""
_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_folder = click.Path(exists=True, file_okay=False, path_type=Path)


class Model(Protocol):
    """A model from sentences to token ids to vectors."""

    def tokenise(self, sentences: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each sentence."""

    def run(self, sentences: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return the vectors of a batch, float32 [sentences, dimension]."""


class Ours:
    """The packaged bundle through the service's own tokenizer and one of its engines."""

    def __init__(self, bundle: Bundle, run: Callable[[Sequence[Sequence[int]]], NDArray[np.float32]]) -> None:
        self._tokenizer = tokenizer_of(bundle)
        self.run = run

    def tokenise(self, sentences: Sequence[str]) -> list[list[int]]:
        """Return token ids as the service reads them."""
        return [tokens.ids for tokens in self._tokenizer.encode(sentences)]


class TokenVectors(Ours):
    """The mean of the bundle's own token vectors: what is left of it without the LSTM."""

    def __init__(self, bundle: Bundle) -> None:
        table = lift(bundle).embedding.weight.detach().numpy()
        super().__init__(bundle, lambda batch: np.stack([table[list(ids)].mean(axis=0) for ids in batch]))


@dataclass(slots=True)
class Measured:
    """One model: its scores by file and by dimensions, and its rate by batch size, one figure a round."""

    name: str
    model: Model
    scores: dict[str, dict[int, float]] = field(default_factory=dict)
    rates: dict[int, list[float]] = field(default_factory=dict)

    def summary(self) -> dict[str, object]:
        """Return the model as benchmarks/encoder.json holds it."""
        batch, rate = max(((size, statistics.median(found)) for size, found in self.rates.items()), key=lambda p: p[1])
        return {"name": self.name, "batch": batch, "sentences_per_s": round(rate)}


def score(measured: Measured, pairs: Pairs, sizes: Sequence[int]) -> None:
    """Score Spearman × 100 at each of `sizes` dimensions, or of all where there are none."""
    sides = [_embed(measured.model, side) for side in (pairs.first, pairs.second)]
    found = {size: [nested(side, size) for side in sides] for size in sizes} or {sides[0].shape[1]: sides}
    measured.scores[pairs.name] = {size: round(spearman(pairs.scores, *both), 2) for size, both in found.items()}


def _embed(model: Model, sentences: Sequence[str]) -> NDArray[np.float32]:
    ids = model.tokenise(sentences)
    return np.concatenate([model.run(ids[start : start + 8]) for start in range(0, len(ids), 8)])


def rate(model: Model, sentences: Sequence[str], batch: int) -> float:
    """Return sentences a second of this thread's CPU, from text to vectors, by length."""
    started = time.thread_time()
    ids = sorted(filter(None, model.tokenise(sentences)), key=len)
    for start in range(0, len(ids), batch):
        model.run(ids[start : start + batch])
    return len(sentences) / (time.thread_time() - started)


def models(scratch: Path) -> list[Measured]:
    """Return every model, not measured yet; `scratch` takes files that some of them need while they load."""
    bundle = Bundle.open(default_path())
    return [
        Measured("bothends", Ours(bundle, NativeEngine(bundle).run)),
        Measured("bothends, onnxruntime", Ours(bundle, OnnxRuntimeEngine(bundle, device="cpu").run)),
        Measured("averaged token vectors", TokenVectors(bundle)),
        *(Measured(name, model) for name, model in mini_lms(scratch).items()),
    ]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sts", "files", type=_file, multiple=True, help="Score by a file of score⇥sentence⇥sentence.")
@click.option("--retrieval", "folders", type=_folder, multiple=True, help="Score by a collection to search.")
@click.option("--sentences", type=_file, help="Sentences to time; default: the training corpus, or Python's manual.")
@click.option("--count", default=1000, show_default=True, help="Sentences timed.")
@click.option("--rounds", default=5, show_default=True, help="Times each is timed.")
@click.option("--again", is_flag=True, help="Draw and write what was measured, and measure nothing.")
def main(
    *, files: Sequence[Path], folders: Sequence[Path], sentences: Path | None, count: int, rounds: int, again: bool
) -> None:
    """Time the packaged bundle, MiniLM and averaged token vectors in one run; or score them, where sets are named."""
    with tempfile.TemporaryDirectory() as scratch:
        if files or folders:
            _print_scores(models(Path(scratch)), files, folders)
            return
        if not again:
            _measure(models(Path(scratch)), load(sentences), count=count, rounds=rounds)
    quality_page.renew()
    click.echo(f"written: {quality_page.SPEEDS}")


def _print_scores(each: Sequence[Measured], files: Sequence[Path], folders: Sequence[Path]) -> None:
    """Print each model's scores on pairs and collections, at each of its sizes."""
    config = Bundle.open(default_path()).config
    collections = [read_collection(folder) for folder in folders]
    for measured in track(each, description="scores"):
        for file in files:
            score(measured, read_pairs(file), config.sizes if measured.name == "bothends" else ())
        for collection in collections:
            rows = _embed(measured.model, collection.texts)
            measured.scores[collection.name] = {rows.shape[1]: round(collection.score(rows), 2)}
        for name, found in measured.scores.items():
            for size, value in found.items():
                click.echo(f"{name:20} {measured.name:26} {size:4} {value:6.2f}")


def _measure(each: Sequence[Measured], found: Sentences, *, count: int, rounds: int) -> None:
    """Write benchmarks/encoder.json."""
    for _ in track(range(rounds), description="speed"):
        for measured in each:
            for batch in BATCHES:
                measured.rates.setdefault(batch, []).append(rate(measured.model, found.texts[:count], batch))
    result = {"machine": describe(), "source": found.source, "models": [measured.summary() for measured in each]}
    quality_page.SPEEDS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

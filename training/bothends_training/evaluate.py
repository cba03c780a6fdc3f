"""Files of scored sentence pairs, and how well a bundle's embeddings rank them."""

import lzma
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from bothends.core.embedder import Embedder
from bothends.embeddings import nested
from bothends.errors import BothendsError
from bothends.model.bundle import Bundle
from bothends.options import Precision
from bothends.settings import EmbedderSettings

from .trials import Trial

_Float = TypeVar("_Float", np.float32, np.float64)


class PairsError(BothendsError):
    """File of scored pairs that can't be read."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Sentence pairs, each with a score given by people; `name` is the file's stem."""

    name: str
    scores: list[float]
    first: list[str]
    second: list[str]


@dataclass(frozen=True, slots=True)
class Score:
    """Agreement of a bundle's cosines with people's scores of pairs, at one precision."""

    pairs: Pairs
    precision: Precision
    spearman: list[float]
    """Spearman × 100 for each of the sizes asked for."""
    to_float32: tuple[float, float]
    """Mean and least cosine of its embeddings to float32's."""


def evaluate(
    bundle: Bundle, every: Sequence[Pairs], precisions: Sequence[Precision], sizes: Sequence[int]
) -> Iterator[Score]:
    """Yield the scores of each of `every` at each of `precisions`, for embeddings cut to each of `sizes` (nested
    dimensions).

    Raises DeviceError for a precision that no engine here offers.
    """
    exact = [_rows(bundle, pairs, "float32") for pairs in every]
    for precision in precisions:
        for pairs, reference in zip(every, exact, strict=True):
            rows = reference if precision == "float32" else _rows(bundle, pairs, precision)
            halves = np.split(rows, 2)
            scores = [spearman(pairs.scores, *(nested(half, size) for half in halves)) for size in sizes]
            cosines = (_unit(rows.astype(np.float64)) * _unit(reference.astype(np.float64))).sum(axis=1)
            yield Score(pairs, precision, scores, (float(cosines.mean()), float(cosines.min())))


def try_out(
    bundle: Bundle, trials: Sequence[Trial], precisions: Sequence[Precision], sizes: Sequence[int]
) -> Iterator[tuple[Trial, Precision, list[float]]]:
    """Yield the scores of each of `trials` at each of `precisions`, for embeddings cut to each of `sizes` (nested
    dimensions).

    Raises DeviceError for a precision that no engine here offers.
    """
    for precision in precisions:
        for trial in trials:
            rows = _embedded(bundle, [trial.texts], precision)
            yield trial, precision, [trial.score(nested(rows, size)) for size in sizes]


def _rows(bundle: Bundle, pairs: Pairs, precision: Precision) -> NDArray[np.float32]:
    """Embeddings of all first sentences, then of all second ones: float32 [2·pairs, dimension]."""
    return _embedded(bundle, (pairs.first, pairs.second), precision)


def _embedded(bundle: Bundle, sides: Sequence[Sequence[str]], precision: Precision) -> NDArray[np.float32]:
    """Embeddings of the texts of all sides, float32 [texts, dimension]."""
    settings = EmbedderSettings(precision=precision, max_sentences=max(map(len, sides)))
    with Embedder.load(bundle, settings=settings) as embedder:
        return np.concatenate([embedder.embed(side).rows for side in sides])


def read_pairs(path: Path) -> Pairs:
    """Read lines of `score⇥sentence⇥sentence`. Raises PairsError, naming file and line."""
    pairs = Pairs(path.stem, [], [], [])
    try:
        with path.open(encoding="utf-8") as file:  # splitlines() would cut at U+2028 and its like too
            lines = [line.rstrip("\n") for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise PairsError(f"{path} can't be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        match line.split("\t"):
            case [score, first, second] if first.strip() and second.strip():
                pairs.scores.append(_number(score, f"{path}:{number}"))
                pairs.first.append(first)
                pairs.second.append(second)
            case _:
                raise PairsError(f"{path}:{number}: expected score⇥sentence⇥sentence")
    if len(pairs.scores) < 2:
        raise PairsError(f"{path} holds {len(pairs.scores)} pairs; a rank correlation needs at least two")
    return pairs


def read_held_out(path: Path) -> list[Pairs]:
    """Read lines of `kind⇥cosine⇥sentence⇥sentence` of an .xz file; the pairs of each kind are a set of that name.

    Raises PairsError.
    """
    kinds: dict[str, Pairs] = {}
    try:
        with lzma.open(path, "rt", encoding="utf-8") as file:
            lines = [line.rstrip("\n").split("\t") for line in file]
    except (OSError, lzma.LZMAError, EOFError, UnicodeDecodeError) as error:
        raise PairsError(f"{path} can't be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if len(line) != 4 or not all(line):
            raise PairsError(f"{path}:{number}: expected kind⇥cosine⇥sentence⇥sentence")
        kind, cosine, first, second = line
        pairs = kinds.setdefault(kind, Pairs(kind, [], [], []))
        pairs.scores.append(_number(cosine, f"{path}:{number}"))
        pairs.first.append(first)
        pairs.second.append(second)
    return list(kinds.values())


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):  # float() takes "nan", which has no rank
        raise PairsError(f"{where}: the score {text!r} is no number")
    return number


def spearman(scores: Sequence[float], first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return Spearman's rank correlation × 100 of people's `scores` [pairs] with the cosines of pairs of vectors: row i
    of `first` with row i of `second`, both float32 [pairs, dimension].
    """
    return float(spearmanr(scores, (_unit(first) * _unit(second)).sum(axis=1)).statistic) * 100


def _unit(vectors: NDArray[_Float]) -> NDArray[_Float]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[_Float] = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return unit

"""Files of scored sentence pairs, and how well embeddings rank them. Knows nothing of models."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from bothends.errors import BothendsError


class PairsError(BothendsError):
    """A file of scored pairs can't be read."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Sentence pairs with a person's score of each; `name` is the file's stem."""

    name: str
    scores: list[float]
    first: list[str]
    second: list[str]


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


def _number(text: str, where: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):  # float() takes "nan", which has no rank
        raise PairsError(f"{where}: the score {text!r} is no number")
    return number


def spearman(scores: Sequence[float], first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Spearman's rank correlation × 100 between people's scores and pairs' cosines, of float32 [pairs, dimension]."""
    return float(spearmanr(scores, (_unit(first) * _unit(second)).sum(axis=1)).statistic) * 100


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return unit

"""Tests of an encoder other than scored pairs: search in a collection, and triples that differ in one word."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bothends.errors import BothendsError
from bothends.search import WordIndex, in_pieces, similarities, standardised

_FIRST = 10
"""Ranks that count in nDCG@10."""


class TrialError(BothendsError):
    """File of a collection or of triples that can't be read."""


class Trial(Protocol):
    """Test that scores the embeddings of some texts from 0 to 100."""

    @property
    def name(self) -> str:
        """Name to show beside the score."""

    @property
    def texts(self) -> Sequence[str]:
        """Texts to embed."""

    @property
    def count(self) -> int:
        """Number of questions or triples."""

    def score(self, vectors: NDArray[np.float32]) -> float:
        """Return the score of the embeddings of `texts`, float32 [texts, dimension]."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents, questions, and which documents answer which question."""

    name: str
    documents: list[str]
    queries: list[str]
    relevant: list[set[int]]
    """Numbers of each question's documents; none is empty."""

    @property
    def texts(self) -> list[str]:
        """Documents, then questions."""
        return [*self.documents, *self.queries]

    @property
    def count(self) -> int:
        """Number of questions."""
        return len(self.queries)

    def cosines(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the cosines of each question with each document, float32 [questions, documents], by the embeddings of
        `texts`, float32 [texts, dimension].
        """
        unit = _unit(vectors)
        found: NDArray[np.float32] = unit[len(self.documents) :] @ unit[: len(self.documents)].T
        return found

    def score(self, vectors: NDArray[np.float32]) -> float:
        """Return the mean nDCG@10 × 100 of ranking by cosine."""
        return self.gain(self.cosines(vectors))

    def gain(self, scores: NDArray[np.float32]) -> float:
        """Return the mean nDCG@10 × 100 of ranking by `scores`, float32 [questions, documents].

        Each relevant document has a gain of 1 (Järvelin and Kekäläinen, "Cumulated Gain-Based Evaluation of IR
        Techniques", ACM TOIS 2002).
        """
        ranked = np.argsort(-scores, axis=1, kind="stable")[:, :_FIRST]
        discounts = 1 / np.log2(np.arange(2, _FIRST + 2))
        found = []
        for order, wanted in zip(ranked, self.relevant, strict=True):
            gains = np.array([number in wanted for number in order])
            found.append(float((gains * discounts[: len(gains)]).sum() / discounts[: len(wanted)].sum()))
        return 100 * float(np.mean(found))


@dataclass(frozen=True, slots=True)
class Ranking:
    """Way to rank a collection's documents, as `bothends search` does: by words, by vectors, with pieces, or by all."""

    collection: Collection
    way: str
    rows: list[str]
    """Documents, and behind them their pieces if there are any."""
    pieces: NDArray[np.int64] | None
    """Which rows are the pieces of which document, as `bothends.search.in_pieces` has it; None without pieces."""
    words: NDArray[np.float32] | None
    """BM25's scores, float32 [questions, documents]; None if words count for nothing."""
    has_vectors: bool = True
    """False if words alone count."""

    @property
    def name(self) -> str:
        """Name of the collection, and of the way in which documents are ranked."""
        return f"{self.collection.name}, {self.way}"

    @property
    def texts(self) -> list[str]:
        """Rows, then questions."""
        return [*self.rows, *self.collection.queries]

    @property
    def count(self) -> int:
        """Number of questions."""
        return self.collection.count

    def score(self, vectors: NDArray[np.float32]) -> float:
        """Return the mean nDCG@10 × 100 of ranking in this way, by the embeddings of `texts`."""
        kinds = [] if self.words is None else [self.words]
        if self.has_vectors:
            unit = _unit(vectors)
            rows, questions = unit[: len(self.rows)], unit[len(self.rows) :]
            kinds.append(np.stack([similarities(rows, question, pieces=self.pieces) for question in questions]))
        return self.collection.gain(np.sum([[standardised(each) for each in kind] for kind in kinds], axis=0))


def rankings(collection: Collection, *, piece_words: int | None, is_hybrid: bool) -> list[Ranking]:
    """Return the ways to search in `collection` besides by whole vectors: with pieces of about `piece_words` words if
    that isn't None, and, for `is_hybrid`, by words alone and with each of those.

    Raises ModuleNotFoundError without bm25s.
    """
    ways: list[tuple[str, list[str], NDArray[np.int64] | None]] = [("whole", collection.documents, None)]
    if piece_words:
        ways.append((f"pieces of {piece_words}", *in_pieces(collection.documents, words=piece_words)))
    found = [Ranking(collection, way, rows, pieces, None) for way, rows, pieces in ways[1:]]
    if is_hybrid:
        index = WordIndex(collection.documents)
        words = np.stack([index.scores(query) for query in collection.queries])
        found.append(Ranking(collection, "BM25 alone", collection.documents, None, words, has_vectors=False))
        found += [Ranking(collection, f"{way} with BM25", rows, pieces, words) for way, rows, pieces in ways]
    return found


@dataclass(frozen=True, slots=True)
class Triples:
    """Triples of one kind: a sentence, the same in other words, and a different statement in nearly the same words."""

    name: str
    anchors: list[str]
    same: list[str]
    others: list[str]

    @property
    def texts(self) -> list[str]:
        """Sentences, then their paraphrases, then the different statements."""
        return [*self.anchors, *self.same, *self.others]

    @property
    def count(self) -> int:
        """Number of triples."""
        return len(self.anchors)

    def score(self, vectors: NDArray[np.float32]) -> float:
        """Return the percentage of sentences that are nearer to their paraphrase than to the different statement."""
        anchors, same, others = np.split(_unit(vectors), 3)
        return 100 * float(((anchors * same).sum(axis=1) > (anchors * others).sum(axis=1)).mean())


def read_collection(folder: Path) -> Collection:
    """Read documents.tsv and queries.tsv (`id⇥text`) and relevant.tsv (`query⇥document`). Raises TrialError."""
    documents, queries = (dict(_rows(folder / name, 2)) for name in ("documents.tsv", "queries.tsv"))
    numbers = {document: number for number, document in enumerate(documents)}
    wanted: dict[str, set[int]] = {}
    for query, document in _rows(folder / "relevant.tsv", 2):
        if query not in queries or document not in numbers:
            raise TrialError(f"{folder / 'relevant.tsv'} names {query} and {document}, of which one isn't there")
        wanted.setdefault(query, set()).add(numbers[document])
    if not wanted:
        raise TrialError(f"{folder / 'relevant.tsv'} is empty")
    return Collection(
        folder.name, list(documents.values()), [queries[query] for query in wanted], list(wanted.values())
    )


def read_triples(file: Path) -> list[Triples]:
    """Read lines of `kind⇥sentence⇥same⇥other`; the triples of each kind are a set of that name. Raises TrialError."""
    kinds: dict[str, Triples] = {}
    for kind, anchor, same, other in _rows(file, 4):
        found = kinds.setdefault(kind, Triples(kind, [], [], []))
        found.anchors.append(anchor)
        found.same.append(same)
        found.others.append(other)
    if not kinds:
        raise TrialError(f"{file} holds no triples")
    return list(kinds.values())


def _rows(file: Path, width: int) -> list[list[str]]:
    """The file's lines, cut at tabs, each of `width` parts."""
    try:
        with file.open(encoding="utf-8") as lines:
            rows = [line.rstrip("\n").split("\t") for line in lines]
    except (OSError, UnicodeDecodeError) as error:
        raise TrialError(f"{file} can't be read: {error}") from error
    for number, row in enumerate(rows, start=1):
        if len(row) != width or not all(part.strip() for part in row):
            raise TrialError(f"{file}:{number}: expected {width} texts between tabs")
    return rows


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return unit

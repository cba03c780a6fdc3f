"""Reads sentences from a text file, and keeps their token ids in one array."""

import gzip
import hashlib
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from bothends.model.tokenizer import Tokenizer

from .errors import RecipeError

CHUNK = 10_000
"""Sentences that are tokenised at a time."""


def read_sentences(
    path: Path,
    count: int,
    *,
    shares: Mapping[str, float] = MappingProxyType({}),
    skip: Callable[[str], bool] = lambda _: False,
) -> list[str]:
    """The first `count` sentences of `path`, of each source in `shares` only that share, none to `skip` counted.

    The sentence itself decides whether it belongs to its source's share, and a larger share holds a smaller one's.
    Raises RecipeError at fewer than two.
    """
    found = (text for source, text in read_lines(path) if place(text) < shares.get(source, 1))
    sentences = list(islice((text for text in found if not skip(text)), count))
    if len(sentences) < 2:
        raise RecipeError(f"{path} holds {len(sentences)} sentences; training needs at least two")
    return sentences


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Each sentence of the file behind its source, which is empty where the line names none.

    Raises RecipeError where it can't be read.
    """
    try:
        with _open(path) as lines:
            for line in lines:
                source, _, sentence = line.rstrip("\n").rpartition("\t")
                if sentence := sentence.strip():
                    yield source, sentence
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror or error}") from error
    except (lzma.LZMAError, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: {error}") from error


def _open(path: Path) -> TextIO:
    match path.suffix:
        case ".xz":
            return lzma.open(path, "rt", encoding="utf-8")
        case ".gz":
            return gzip.open(path, "rt", encoding="utf-8")
        case _:
            return path.open(encoding="utf-8")


def place(sentence: str) -> float:
    """A number in [0, 1) that follows from the sentence, as good as drawn by chance."""
    return int.from_bytes(hashlib.blake2b(sentence.encode(), digest_size=6).digest()) / 2**48


def fingerprint(sentences: Sequence[str]) -> str:
    """SHA-256 over the sentences in order; names what was computed from them."""
    digest = hashlib.sha256()
    for sentence in sentences:
        digest.update(sentence.encode())
        digest.update(b"\n")
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class TokenisedCorpus:
    """Every sentence's token ids in one array: those of `sentences[i]` are `ids[offsets[i] : offsets[i + 1]]`."""

    sentences: list[str]
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    groups: NDArray[np.int64]
    """The number of the group that each sentence belongs to, int64 [sentences]; a group's stand side by side."""
    labels: list[str]
    """The text whose vectors each sentence is taught: its own, but of a misspelt one."""
    documents: int
    """Number of the first text that belongs to a document; all after it do too."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sentence, int64 [sentences]."""
        return np.diff(self.offsets)

    @property
    def is_document(self) -> NDArray[np.bool_]:
        """Whether each text belongs to a document, bool [sentences]."""
        return np.arange(len(self.sentences)) >= self.documents

    def batch(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The ids of sentences `rows`, one sentence after the other, int64 [tokens], and their lengths int64 [rows]."""
        lengths = self.offsets[rows + 1] - self.offsets[rows]  # not of the whole corpus at every step
        first = np.cumsum(lengths) - lengths
        places = np.arange(lengths.sum()) + np.repeat(self.offsets[rows] - first, lengths)
        return self.ids[places].astype(np.int64), lengths


def tokenise(
    groups: Sequence[Sequence[str]],
    tokenizer: Tokenizer,
    *,
    documents: Sequence[Sequence[str]] = (),
    labels: Mapping[str, str] = MappingProxyType({}),
    chunk: int = CHUNK,
) -> TokenisedCorpus:
    """Token ids by the tokenizer that will serve, cut to its limit, of groups of sentences and of those of documents.
    Sentences without a token are left out. `labels` holds the text that stands for a sentence before teachers.

    Raises RecipeError where fewer than two are left.
    """
    kept: list[str] = []
    parts: list[NDArray[np.int32]] = []
    numbers: list[int] = []
    members = [(number, text) for number, group in enumerate([*groups, *documents]) for text in group]
    for start in range(0, len(members), chunk):
        part = members[start : start + chunk]
        for (number, sentence), tokens in zip(part, tokenizer.encode([text for _, text in part]), strict=True):
            if tokens.ids:
                kept.append(sentence)
                parts.append(np.asarray(tokens.ids, dtype=np.int32))
                numbers.append(number)
    if len(kept) < 2:
        raise RecipeError(f"the corpus holds {len(kept)} sentences with a token; training needs at least two")
    offsets = np.concatenate(([0], np.cumsum([len(part) for part in parts]))).astype(np.int64)
    of_groups = np.array(numbers, dtype=np.int64)
    first = int(np.searchsorted(of_groups, len(groups)))
    taught = [labels.get(sentence, sentence) for sentence in kept]
    return TokenisedCorpus(kept, np.concatenate(parts), offsets, of_groups, taught, first)

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
    """Return the first `count` sentences of `path`, without counting those that `skip` rejects.

    `shares` maps the name of a source to the share of its sentences, from 0 to 1, that is used; all are of sources that
    it doesn't name. The sentence's own hash decides, so that a larger share includes a smaller one. Raises RecipeError
    for fewer than two sentences.
    """
    found = (text for source, text in read_lines(path) if place(text) < shares.get(source, 1))
    sentences = list(islice((text for text in found if not skip(text)), count))
    if len(sentences) < 2:
        raise RecipeError(f"{path} holds {len(sentences)} sentences; training needs at least two")
    return sentences


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (source, sentence) for each line of the file; the source is empty if the line names none.

    Raises RecipeError if the file can't be read.
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
    """Return a number in [0, 1) that is computed from the sentence, and distributed as if at random."""
    return int.from_bytes(hashlib.blake2b(sentence.encode(), digest_size=6).digest()) / 2**48


def fingerprint(sentences: Sequence[str]) -> str:
    """Return the SHA-256 of the sentences in order, as a name for what is computed from them."""
    digest = hashlib.sha256()
    for sentence in sentences:
        digest.update(sentence.encode())
        digest.update(b"\n")
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class TokenisedCorpus:
    """Token ids of every sentence in one array: those of `sentences[i]` are `ids[offsets[i] : offsets[i + 1]]`."""

    sentences: list[str]
    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    groups: NDArray[np.int64]
    """Number of the group of each sentence, int64 [sentences]; the sentences of a group are adjacent."""
    labels: list[str]
    """The text whose vectors each sentence is taught: its own, but of a misspelt one."""
    documents: int
    """Number of the first text that belongs to a document; all after it do too."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of tokens of each sentence, int64 [sentences]."""
        return np.diff(self.offsets)

    @property
    def is_document(self) -> NDArray[np.bool_]:
        """True for each text that belongs to a document, bool [sentences]."""
        return np.arange(len(self.sentences)) >= self.documents

    def batch(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ids of the sentences with these numbers, `rows` int64 [rows], one after the other, int64 [tokens],
        and their lengths, int64 [rows].
        """
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
    """Tokenise groups of sentences, and of documents' texts, with the tokenizer that will serve; ids are cut to its
    limit.

    Sentences without a token are left out. `labels` maps a sentence to the text that teachers see in its place. Raises
    RecipeError if fewer than two sentences remain.
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

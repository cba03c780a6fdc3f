"""Caches teachers' vectors on disk by sentence, so that a vector that any corpus has needed is never computed again.

Each teacher has a folder, named by what it computes, with `vectors.f16`, one row a sentence; `sentences.u64`, the hash
of each row's sentence; and `teacher.json`, which describes the teacher. The first two are only appended to, and a row
counts once both hold it completely, so that a kill costs at most the current chunk.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import RecipeError

Advance = Callable[[int], None]
"""Callback with the number of sentences that have just been done."""

CHUNK = 4096
"""Sentences that are embedded and written at a time."""
_INDEX, _HASH = "sentences.u64", np.dtype("<u8")
_ROWS, _NUMBER = "vectors.f16", np.dtype("<f2")
_TEACHER = "teacher.json"
Hashes = NDArray[np.uint64]
"""Hashes of sentences, uint64 [sentences]."""


class Source(Protocol):
    """Source of sentence vectors, such as a teacher."""

    @property
    def name(self) -> str:
        """Name of the source, and of its folder in the cache."""

    @property
    def identity(self) -> str:
        """Identity of what it computes: equal identities give equal vectors."""

    @property
    def dimension(self) -> int:
        """Size of a vector."""

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, float32 [sentences, dimension]."""


@dataclass(frozen=True, slots=True)
class KeptTeacher:
    """Teacher whose own files aren't installed: it has the vectors in a cache, and no others."""

    name: str
    identity: str
    dimension: int

    def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Raise RecipeError, which names one of the sentences, since nothing can be computed."""
        raise RecipeError(
            f"the teacher {self.name} isn't here, and the cache lacks its vectors of {len(sentences)} texts or more, "
            f"of which one is {sentences[0]!r}"
        )


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of a list of sentences, mapped from disk."""

    kept: NDArray[np.float16]
    """All vectors that the teacher was ever asked for, [rows, dimension]."""
    rows: NDArray[np.int64]
    """Row in `kept` of each sentence's vector."""
    centre: NDArray[np.float32] | None = None
    """What is taken from each, [dimension]."""

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, sentences: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        """The vectors of these sentences, by their numbers in the list, float32 [chosen, dimension]."""
        found = self.kept[self.rows[sentences]].astype(np.float32)
        return found if self.centre is None else found - self.centre

    def centred(self) -> "Vectors":
        """Return the same vectors less their mean, no longer of unit length.

        Some teachers' vectors all point one way (e5's strangers have cosines of 0.77): less that way, their cosines are
        on others' scale (Mu and Viswanath, "All-but-the-Top", ICLR 2018).
        """
        chunks = range(0, len(self), CHUNK)
        total = np.sum([self[start : start + CHUNK].sum(axis=0, dtype=np.float64) for start in chunks], axis=0)
        return replace(self, centre=(total / len(self)).astype(np.float32))

    @property
    def dimension(self) -> int:
        """Size of a vector."""
        return int(self.kept.shape[1])


def cached_vectors(
    teacher: Source, sentences: Sequence[str], cache: Path, advance: Advance = lambda _: None, *, chunk: int = CHUNK
) -> Vectors:
    """Return the teacher's vectors of `sentences`; those that the folder `cache` lacks are computed first, `chunk`
    sentences at a time. `advance` is called with the number of sentences that are done, as they are.

    If another process is filling the same teacher's folder, it is waited for.
    """
    hashes = np.array([_hash(sentence) for sentence in sentences], dtype=_HASH)
    folder = cache / f"{teacher.name}-{hashlib.sha256(teacher.identity.encode()).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _INDEX).open("ab") as index, (folder / _ROWS).open("ab") as rows:
        if len(_missing(hashes, _kept(folder, teacher.dimension))):
            fcntl.flock(index, fcntl.LOCK_EX)
        kept = _kept(folder, teacher.dimension)
        missing = _missing(hashes, kept)
        if len(missing):  # a torn row at the end of either file goes
            index.truncate(kept.nbytes)
            rows.truncate(len(kept) * teacher.dimension * _NUMBER.itemsize)
        advance(len(hashes) - len(missing))
        for start in range(0, len(missing), chunk):
            part = missing[start : start + chunk]
            _append(rows, teacher.embed([sentences[number] for number in part]).astype(_NUMBER))
            _append(index, hashes[part])
            advance(len(part))
    if not (folder / _TEACHER).exists():
        told = {"name": teacher.name, "identity": teacher.identity, "dimension": teacher.dimension}
        (folder / _TEACHER).write_text(json.dumps(told, indent=1), encoding="utf-8")
    return _mapped(hashes, folder, teacher.dimension)


def kept_teachers(name: str, cache: Path) -> list[KeptTeacher]:
    """Return the teachers of that name whose vectors are in `cache`."""
    found = (json.loads(file.read_text(encoding="utf-8")) for file in sorted(cache.glob(f"*/{_TEACHER}")))
    return [KeptTeacher(**told) for told in found if told["name"] == name]


def _hash(sentence: str) -> int:
    """A 64-bit hash: among ten million sentences two share one with a chance of 3 in a million."""
    return int.from_bytes(hashlib.blake2b(sentence.encode(), digest_size=_HASH.itemsize).digest(), "little")


def _kept(folder: Path, dimension: int) -> Hashes:
    """The hashes of the rows that both files hold whole."""
    hashes = (folder / _INDEX).stat().st_size // _HASH.itemsize
    rows = (folder / _ROWS).stat().st_size // (dimension * _NUMBER.itemsize)
    return np.fromfile(folder / _INDEX, dtype=_HASH, count=min(hashes, rows))


def _missing(hashes: Hashes, kept: Hashes) -> NDArray[np.int64]:
    """The numbers of the sentences without a row, in order, each sentence once."""
    different, first = np.unique(hashes, return_index=True)
    return np.sort(first[~np.isin(different, kept)])


def _append(file: BinaryIO, array: NDArray[np.generic]) -> None:
    """Append the array and flush it to the disk itself, so that it is safe before the next chunk."""
    file.write(array.tobytes())
    file.flush()
    os.fsync(file.fileno())


def _mapped(hashes: Hashes, folder: Path, dimension: int) -> Vectors:
    kept = _kept(folder, dimension)
    order = np.argsort(kept)
    rows = order[np.searchsorted(kept, hashes, sorter=order)]
    return Vectors(np.memmap(folder / _ROWS, _NUMBER, "r", shape=(len(kept), dimension)), rows)

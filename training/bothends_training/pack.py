"""Packs the vectors that a cache holds of some teachers into one small file, to be carried to another machine.

Vectors are rotated to their principal directions, and each component becomes a multiple of one step. Directions with
little variance become zeros, which cost little once the file is compressed, direction by direction. At a given size
this loses less than dropping directions (reverse water-filling: Cover and Thomas, "Elements of Information Theory",
10.3.3).
"""

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .errors import RecipeError
from .vectors import Advance, KeptTeacher, Source, add, everything

_FINEST, _COARSEST = 1 / 63, 0.5
"""Steps. A unit vector less a mean of such is no longer than 2, which is 126 of the finest: a code always fits int8."""
_CHUNK = 1 << 16
"""Vectors that are compressed together."""
_SAMPLE = 50_000
"""Vectors whose principal directions are found, and whose loss is told."""
_TRIED = 8192
"""Vectors of each teacher by which the size of a file is foretold."""
_ENTRIES = 512
"""Bytes, at most, by which an archive names what belongs together."""
_TEACHER, _AXES, _HASHES, _CODES = "teacher.json", "axes.npy", "sentences.u64", "codes.z"


@dataclass(frozen=True, slots=True)
class Loss:
    """What packing changed in one teacher's vectors, averaged over a sample."""

    teacher: str
    vectors: int
    dimension: int
    size: int
    """Bytes that they take in the file."""
    cosine: float
    """Of a vector to what it was."""
    change: float
    """Absolute change of the cosine of two vectors."""

    def __str__(self) -> str:
        return (
            f"{self.teacher}  {self.vectors:,} vectors of {self.dimension}  {self.size / 1e6:.1f} MB  "
            f"cosine to the original {self.cosine:.4f}, cosines of pairs off by {self.change:.4f}"
        )


@dataclass(frozen=True, slots=True)
class Axes:
    """Mean vector and principal directions of a teacher's vectors."""

    mean: NDArray[np.float32]
    """[dimension]."""
    directions: NDArray[np.float32]
    """A column each, from the one along which vectors differ most: [dimension, dimension]."""

    @classmethod
    def of(cls, vectors: NDArray[np.float32]) -> Self:
        """Return the axes of `vectors` [vectors, dimension], rounded as they are in a file."""
        mean = vectors.mean(axis=0)
        centred = vectors - mean
        _, directions = np.linalg.eigh(centred.T @ centred)
        return cls.read(cls(mean, directions[:, ::-1]).saved())

    @classmethod
    def read(cls, content: bytes) -> Self:
        """Read the axes that `saved` wrote."""
        mean, *directions = np.load(io.BytesIO(content), allow_pickle=False).astype(np.float32)
        return cls(mean, np.stack(directions))

    def saved(self) -> bytes:
        """Return both as an .npy of float16, whose rounding is far below a step."""
        content = io.BytesIO()
        np.save(content, np.vstack([self.mean, self.directions]).astype(np.float16))
        return content.getvalue()

    def codes(self, vectors: NDArray[np.float32], step: float) -> NDArray[np.int8]:
        """Return the number of steps of each vector along each direction, int8 [dimension, vectors]."""
        steps = np.round((vectors - self.mean) @ self.directions / step)
        return np.ascontiguousarray(steps.T, dtype=np.int8)

    def vectors(self, codes: NDArray[np.int8], step: float) -> NDArray[np.float32]:
        """Return the unit vectors for codes [dimension, vectors], float32 [vectors, dimension]."""
        found = codes.T.astype(np.float32) * np.float32(step) @ self.directions.T + self.mean
        unit: NDArray[np.float32] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return unit

    def some_vectors(self, codes: NDArray[np.int8], step: float, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the unit vectors, float32 [numbers, dimension], for the columns `numbers` of `codes`."""
        return self.vectors(codes[:, numbers], step)


def pack(
    teachers: Sequence[Source], cache: Path, file: Path, *, max_bytes: int, advance: Advance = lambda _: None
) -> list[Loss]:
    """Write all vectors that `cache` holds of the teachers into `file`, of at most `max_bytes`; returns what each lost.

    All teachers share the finest step that fits the size. Raises RecipeError if the cache holds no vectors of one, or
    the file can't be made so small.
    """
    held = [everything(teacher, cache) for teacher in teachers]
    samples = [kept[_spread(len(kept), _SAMPLE)].astype(np.float32) for _, kept in held]
    axes = [Axes.of(sample) for sample in samples]
    step = _step(axes, samples, [len(hashes) for hashes, _ in held], max_bytes)
    unfinished = file.with_name(file.name + ".partial")
    losses = []
    with zipfile.ZipFile(unfinished, "w") as archive:
        for number, (teacher, (hashes, kept)) in enumerate(zip(teachers, held, strict=True)):
            told = {"name": teacher.name, "identity": teacher.identity, "dimension": teacher.dimension, "step": step}
            archive.writestr(f"{number}/{_TEACHER}", json.dumps(told))
            archive.writestr(f"{number}/{_AXES}", axes[number].saved())
            for start in range(0, len(hashes), _CHUNK):
                part = slice(start, start + _CHUNK)
                codes = axes[number].codes(kept[part].astype(np.float32), step)
                archive.writestr(f"{number}/{start:010}/{_HASHES}", hashes[part].tobytes())
                archive.writestr(f"{number}/{start:010}/{_CODES}", _compressed(codes))
                advance(codes.shape[1])
            size = sum(info.compress_size for info in archive.infolist() if info.filename.startswith(f"{number}/"))
            losses.append(_loss(teacher, len(hashes), size, samples[number], axes[number], step))
    unfinished.replace(file)
    return losses


def unpack(file: Path, cache: Path, advance: Advance = lambda _: None) -> list[KeptTeacher]:
    """Add the vectors in `file` to `cache`, except those of sentences that it has already; returns whose they are.

    Raises RecipeError if `pack` hasn't written `file`.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            found = []
            for number in range(sum(name.endswith(_TEACHER) for name in names)):
                told = json.loads(archive.read(f"{number}/{_TEACHER}"))
                step = float(told.pop("step"))
                teacher = KeptTeacher(**told)
                axes = Axes.read(archive.read(f"{number}/{_AXES}"))
                for name in names:
                    if name.startswith(f"{number}/") and name.endswith(_HASHES):
                        hashes = np.frombuffer(archive.read(name), dtype="<u8")
                        packed = zlib.decompress(archive.read(name.replace(_HASHES, _CODES)))
                        codes = np.frombuffer(packed, dtype=np.int8).reshape(teacher.dimension, len(hashes))
                        add(teacher, hashes, partial(axes.some_vectors, codes, step), cache, advance)
                found.append(teacher)
    except (OSError, zipfile.BadZipFile, zlib.error, KeyError, TypeError, ValueError) as error:
        raise RecipeError(f"{file} holds no packed vectors: {error}") from error
    if not found:
        raise RecipeError(f"{file} holds no packed vectors")
    return found


def _spread(count: int, max_count: int) -> NDArray[np.int64]:
    """Up to `max_count` numbers below `count`, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, max_count)).astype(np.int64))


def _step(axes: Sequence[Axes], samples: Sequence[NDArray[np.float32]], counts: Sequence[int], max_bytes: int) -> float:
    """Return the finest step at which files of this many vectors of each teacher should have at most `max_bytes`."""

    def foretold(step: float) -> float:
        """Bytes, by part of each sample; a little more than there will be, as fewer vectors compress a little worse."""
        size = 0.0
        for found, sample, count in zip(axes, samples, counts, strict=True):
            tried = sample[_spread(len(sample), _TRIED)]
            a_vector = 8 + len(_compressed(found.codes(tried, step))) / len(tried)
            size += len(found.saved()) + _ENTRIES * (2 + count / _CHUNK) + count * a_vector
        return size * 1.01

    fine, coarse = _FINEST, _COARSEST
    if foretold(coarse) > max_bytes:
        raise RecipeError(f"{sum(counts):,} vectors can't be packed into {max_bytes:,} bytes")
    if foretold(fine) <= max_bytes:
        return fine
    while coarse > 1.01 * fine:
        middle = (fine * coarse) ** 0.5
        fine, coarse = (middle, coarse) if foretold(middle) > max_bytes else (fine, middle)
    return coarse


def _compressed(codes: NDArray[np.int8]) -> bytes:
    """The codes, direction by direction: each has its own frequencies, by which bytes get shorter or longer words."""
    packer = zlib.compressobj(strategy=zlib.Z_RLE)  # no text is in them, but runs of zeros
    return packer.compress(codes.tobytes()) + packer.flush()


def _loss(teacher: Source, count: int, size: int, sample: NDArray[np.float32], axes: Axes, step: float) -> Loss:
    """What a sample of the teacher's vectors loses; pairs are of one and another far from it in the cache."""
    before = sample / np.linalg.norm(sample, axis=1, keepdims=True)
    after = axes.vectors(axes.codes(sample, step), step)
    half = max(1, len(sample) // 2)
    change = np.abs((after[:half] * after[-half:]).sum(1) - (before[:half] * before[-half:]).sum(1)).mean()
    return Loss(teacher.name, count, teacher.dimension, size, float((before * after).sum(1).mean()), float(change))

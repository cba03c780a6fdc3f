"""Differences between a bundle and PyTorch, row by row, their bounds, and the table of both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

OF_NOISE = 30
"""Multiple of the noise that a difference may be, as doctor has it; measured: up to 5 times it."""
LARGEST_BOUND = 0.1
"""Largest bound that proves anything, for numbers from -1 to 1: those of a wrong graph are off by about 1."""


@dataclass(frozen=True, slots=True)
class Row:
    """Largest absolute differences over some sentences, and whether the results were bit-identical in a batch."""

    what: str
    sentences: int
    embedding: float
    forward: float | None
    """Difference of the embedding's forward half; None if it has no halves."""
    backward: float | None
    h_n: float | None
    """Difference of h_n; None for the golden sentences and the native engine, which have none."""
    same_bits: bool | None
    """True if the bits equal those of the same sentence alone; None if it was run alone."""
    cosine: float | None = None
    """Smallest cosine of an embedding to PyTorch's; None for the golden sentences."""
    noise: float = 0.0
    """Largest difference of PyTorch's float32 from its float64 in sentences no longer than these; 0 if not measured."""

    @property
    def largest(self) -> float:
        """Largest difference of the embedding and of h_n."""
        return self.embedding if self.h_n is None or self.embedding > self.h_n else self.h_n


@dataclass(frozen=True, slots=True)
class Report:
    """All rows of a comparison, and their bounds.

    A recurrent encoder with large weights multiplies a rounding error with every token, until float32 computes nothing
    but noise. Then no two programs agree, nor does PyTorch with itself in float64. For such lengths the bound follows
    from PyTorch's own noise; for shorter sentences it stays the same.
    """

    rows: list[Row]
    tolerance: float
    """Bound where noise allows it."""
    needs_same_bits: bool
    """True on a CPU, where a batch may not change a bit."""
    min_cosine: float | None = None
    """Least cosine that is promised of any text, below float32. The golden sentences alone have the tolerance then."""

    def with_noise(self, noise: Sequence[float]) -> "Report":
        """Return the same report with the noise of its first rows, which have ascending lengths; the others get the
        last one.
        """
        padded = [*noise, *[noise[-1]] * (len(self.rows) - len(noise))]
        rows = [replace(row, noise=value) for row, value in zip(self.rows, padded, strict=True)]
        return replace(self, rows=rows)

    @property
    def noise(self) -> float | None:
        """Difference of PyTorch's float32 from its float64 in the longest sentences, if the largest bound follows from
        it; None if that is `tolerance`.
        """
        return self.rows[-1].noise if self.bound > self.tolerance else None

    @property
    def bound(self) -> float:
        """Largest bound of any row."""
        return max(map(self._bound, self.rows))

    def _bound(self, row: Row) -> float:
        return max(self.tolerance, OF_NOISE * row.noise)

    def held_to(self) -> str:
        """Bound in words: "within 1e-05", or how it was derived from noise."""
        if self.min_cosine is not None:
            return f"at a cosine of {self.min_cosine} or more, and golden sentences within {self.bound:.0e}"
        if self.noise is None:
            return f"within {self.tolerance:.0e}"
        return (
            f"within {self.bound:.1e}, {OF_NOISE} times what PyTorch's float32 is off its own float64 with these "
            f"weights, in long sentences ({self.noise:.1e}); {self.tolerance:.0e} where that allows"
        )

    def breaches(self) -> list[str]:
        """Return lines that say which bounds were exceeded; an empty list if none was."""
        lines = []
        for row in self.rows:
            lines += self._too_far(row)
            if self.needs_same_bits and row.same_bits is False:
                lines.append(f"{row.what}: a sentence's bits change with the batch it is in")
        return lines

    def _too_far(self, row: Row) -> list[str]:
        if self.min_cosine is not None and row.cosine is not None:
            if row.cosine >= self.min_cosine:  # which a NaN isn't
                return []
            return [f"{row.what}: a cosine to PyTorch is {row.cosine:.5f}, {self.min_cosine} is the least allowed"]
        parts = {"forward": row.forward, "backward": row.backward, "h_n": row.h_n}
        if row.forward is None:
            parts["embedding"] = row.embedding
        bound = self._bound(row)
        return [
            f"{row.what}: {name} is {value:.1e} off PyTorch, {bound:.1e} is allowed"
            for name, value in parts.items()
            if value is not None and not value <= bound  # also where it is NaN
        ]

    def unprovable(self) -> str | None:
        """Line that says from which length on float32 computes noise; None if every length has a bound."""
        for row in self.rows:
            if not self._bound(row) <= LARGEST_BOUND:
                return (
                    f"{row.what}: PyTorch's own float32 is {row.noise:.1e} off its float64, so the vectors of such "
                    "sentences are rounding errors and no program computes them again; cut sentences before that "
                    "(max_tokens), or train with smaller weights"
                )
        return None

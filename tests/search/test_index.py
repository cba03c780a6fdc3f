"""search/index.py: vectors that are kept are those of this file's column by this model at this precision."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.bulk.engines import EmbedResult
from bothends.embeddings import Embeddings
from bothends.search.index import indexed
from bothends.search.source import SentenceFile


class Lengths:
    """A model whose rows lie the nearer to their first axis the longer a text is; another precision's a little less."""

    model, dimension, nested_dimensions = "lengths 1", 2, (2,)

    def __init__(self, precision: str = "float32") -> None:
        self.precision = precision

    def embed(self, texts: Sequence[str]) -> EmbedResult:
        angles = np.array([1 / len(text) for text in texts]) + (self.precision != "float32") / 100
        rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
        return Embeddings(rows, [1] * len(texts), [False] * len(texts), "1"), {}

    def stop(self) -> None:
        pass


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "r.csv"
    path.write_text("title,text\na,there will be dragons\nno,a man\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changed", "column", "precision"), [("column", "text", "float32"), ("precision", "title", "int8")]
)
def test_an_index_of_another_column_or_precision_is_made_anew(
    file: Path, changed: str, column: str, precision: str
) -> None:
    """And a person is told why; by then the new vectors are the index's."""
    told: list[str] = []

    def vectors(column: str, precision: str) -> NDArray[np.float32]:
        source, folder = SentenceFile(file, "csv", column), file.with_suffix(".index")
        return np.array(indexed(source, folder, Lengths(precision), dimensions=None, say=told.append))

    first, other = vectors("title", "float32"), vectors(column, precision)
    assert not (first == other).any()
    assert np.array_equal(vectors(column, precision), other)
    folder = file.with_suffix(".index")
    assert told == [
        f"{folder}: another {changed} than when it was made; the file is embedded anew",
        f"{folder}: the vectors are there",
    ]

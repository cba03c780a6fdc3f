"""Reads and writes Parquet with pyarrow, which is imported only for such files.

A Parquet file can't be appended to, because its directory is at its end. So vectors are collected in an Arrow stream,
which can be cut and continued between any two batches, and becomes Parquet when it is complete.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...errors import FileError, SettingsError
from ..rows import Row, row
from .block import Block, Shape
from .columns import choose, must_have
from .readers import RowReader

_BATCH = 1024
_GROUP_ROWS = 16384
"""Rows of a row group that is written. They are held in memory: 32 MiB of 512 float32 numbers a row."""


def read(path: Path, column: str | None, keep: Sequence[str]) -> RowReader:
    """Open the Parquet file at `path`. Raises FileError if it isn't Parquet, and SettingsError for its columns."""
    try:
        file = pq.ParquetFile(path, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise FileError(f"{path} can't be read as Parquet: {_line(error)}") from None
    schema, name = file.schema_arrow, str(path)
    texts = [field.name for field in schema if _is_text(field.type)]
    column = choose(column, texts, schema.names, name)
    for wanted in keep:
        must_have(wanted, schema.names, name)
    if column not in texts:
        raise SettingsError(f"{path}: column {column!r} holds {schema.field(column).type}, not text")
    progress = _Progress()
    types = pa.schema([_kept_as(schema.field(wanted), name) for wanted in keep])
    rows = _rows(file, column, keep, progress)
    return RowReader(rows, progress.position, file.metadata.num_rows, column, types)


class _Progress:
    rows = 0

    def position(self) -> int:
        return self.rows


def _rows(file: pq.ParquetFile, column: str, keep: Sequence[str], progress: _Progress) -> Iterator[Row]:
    try:
        for batch in file.iter_batches(_BATCH, columns=list(dict.fromkeys((column, *keep)))):
            texts = _bytes(batch.column(column))
            kept = [_values(batch.column(name), name) for name in keep]
            for index, content in enumerate(texts):
                progress.rows += 1
                yield _row(content, tuple(values[index] for values in kept))
    except (pa.ArrowException, OSError) as error:
        raise FileError(f"the Parquet file is broken: {_line(error)}") from None


def _kept_as(field: pa.Field, file: str) -> pa.Field:
    """Return a kept column's field: without its dictionary, which a stream of batches has no place for."""
    if pa.types.is_dictionary(field.type):
        field = field.with_type(field.type.value_type)
    if "dictionary<" in str(field.type):
        raise SettingsError(f"{file}: column {field.name!r} holds {field.type}, which can't be kept")
    return field


def _values(column: pa.Array, name: str) -> list[Any]:
    """Return the cells of a kept column. Raises FileError where Python has no such value."""
    if _is_text(column.type):  # a cell that is no UTF-8 makes its row a bad one
        return [None if cell is None else cell.decode("utf-8", "surrogateescape") for cell in _bytes(column)]
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError) as error:  # as times beyond the year 9999
        raise FileError(f"column {name!r} holds a value that can't be kept: {_line(error)}") from None


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _bytes(column: pa.Array) -> list[bytes | None]:
    """Return the cells of a column of text as bytes, so that a cell that is no UTF-8 costs itself only."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    found: list[bytes | None] = column.cast(pa.large_binary()).to_pylist()
    return found


def _row(content: bytes | None, kept: tuple[Any, ...]) -> Row:
    try:
        return row(None if content is None else content.decode(), kept)
    except UnicodeDecodeError:
        return Row("", "is no valid UTF-8", kept)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


class ParquetWriter:
    """Writer of the columns `row`, kept columns, `embedding`, `token_count`, `truncated`, and for int8 `scale`."""

    sealed_suffix = ".parquet"

    def __init__(self, shape: Shape, keep: Sequence[str], kept_types: pa.Schema | None, model: str) -> None:
        numbers = pa.list_(pa.from_numpy_dtype(shape.dtype), shape.width)
        self._kept = kept_types or pa.schema([(name, pa.string()) for name in keep])
        self._is_json = kept_types is None
        scale = [("scale", pa.float32())] if shape.has_scales else []
        fields = [("row", pa.int64()), *self._kept, ("embedding", numbers), ("token_count", pa.int32())]
        self._schema = pa.schema([*fields, ("truncated", pa.bool_()), *scale], metadata={"bothends.model": model})

    def head(self) -> bytes:
        """Return the Arrow stream's schema."""
        return bytes(self._schema.serialize())

    def body(self, block: Block) -> Iterator[Any]:
        """Yield one Arrow batch of the embedded rows."""
        if block.found is None:
            return
        found = block.found
        kept = [
            pa.array([self._plain(block.rows[place].kept[index]) for place in block.good], field.type)
            for index, field in enumerate(self._kept)
        ]
        numbers = pa.FixedSizeListArray.from_arrays(pa.array(found.rows.reshape(-1)), found.rows.shape[1])
        rows = pa.array(np.array(block.good, np.int64) + block.first)
        scales = [] if found.scales is None else [pa.array(found.scales)]
        counts, cut = pa.array(found.token_counts, pa.int32()), pa.array(found.truncated, pa.bool_())
        batch = pa.record_batch([rows, *kept, numbers, counts, cut, *scales], schema=self._schema)
        yield memoryview(batch.serialize())

    def seal(self, partial: Path, sealed: Path, rows: int) -> None:  # noqa: ARG002  the others need it
        """Convert the Arrow stream to Parquet, one row group at a time."""
        # Vectors hardly get smaller, by a dictionary least of all; reading them back would only take longer.
        text = [field.name for field in self._kept]
        with (
            pa.OSFile(str(partial)) as stream,
            pq.ParquetWriter(sealed, self._schema, use_dictionary=text, compression="NONE") as file,
        ):
            gathered: list[pa.RecordBatch] = []
            for batch in pa.ipc.open_stream(stream):
                gathered.append(batch)
                if sum(len(each) for each in gathered) >= _GROUP_ROWS:
                    file.write_table(pa.Table.from_batches(gathered), row_group_size=1 << 30)
                    gathered = []
            if gathered:
                file.write_table(pa.Table.from_batches(gathered), row_group_size=1 << 30)

    def _plain(self, value: Any) -> Any:
        """Return a JSON input's value as text, since such values have no common type; strings and None stay."""
        import json

        return json.dumps(value) if self._is_json and not isinstance(value, str | None) else value

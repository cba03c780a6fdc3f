"""Job of `bothends embed`: its input, output and options, checked before a model is loaded or anything is written.

It opens the input and the output; execute.py runs it.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FileError, RequestError, SettingsError
from ..options import EmbedOptions
from .engines import BulkEngine
from .formats import readers
from .formats.block import Shape, Writer
from .formats.readers import RowReader
from .formats.source import Source
from .formats.writers import NpyWriter
from .sinks import FileSink, Sink, StdoutSink

INPUTS = {
    ".txt": "txt", ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet",
}  # fmt: skip
"""Formats of inputs by the ends of names."""
OUTPUTS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".npy": "npy", ".parquet": "parquet"}
"""Formats of outputs by the ends of names."""
_OWN_COLUMNS = ("row", "embedding", "token_count", "truncated", "scale")


@dataclass(frozen=True, slots=True)
class Job:
    """Rows to embed, the options, and where the vectors go. None as a path stands for standard input or output."""

    input: Path | None
    output: Path | None
    input_format: str
    output_format: str
    column: str | None
    keep: Sequence[str]
    overwrite: bool
    options: EmbedOptions

    def check(self) -> None:
        """Check the job. Raises SettingsError for impossible options, and FileError for an output that can't be
        written.
        """
        self.check_options()
        if self.output is not None:
            _must_be_writable(self.output, self.input)

    def check_options(self) -> None:
        """Check what doesn't depend on the disk. Raises SettingsError for impossible options."""
        if self.input_format == "txt" and (self.column is not None or self.keep):
            raise SettingsError("a text file has no columns: --column and --keep are for csv, jsonl and parquet")
        if self.input is None and self.input_format == "parquet":
            raise SettingsError("Parquet can't be read from standard input; name the file with --input")
        if self.output is None and self.output_format != "jsonl":
            raise SettingsError(f"only jsonl goes to standard output; name a file for {self.output_format}")
        if self.output_format == "npy" and self.keep:
            raise SettingsError("npy holds vectors only: --keep is for jsonl and parquet")
        if self.output_format == "npy" and self.options.get("encoding") == "int8":
            raise SettingsError("npy has no place for the scales of int8; write parquet or jsonl")
        for index, name in enumerate(self.keep):
            if name in _OWN_COLUMNS or name in self.keep[:index]:
                raise SettingsError(f"--keep {name}: the output has a column of that name already")

    def read(self, files: ExitStack) -> RowReader:
        """Open the input; `files` closes it."""
        if self.input_format == "parquet" and self.input is not None:
            from .formats.parquet import read

            return read(self.input, self.column, self.keep)
        source = files.enter_context(Source(self.input))
        if self.input_format == "txt":
            return readers.text(source)
        if self.input_format == "jsonl":
            return readers.objects(source, self.column, self.keep)
        return readers.table(source, self.column, self.keep, delimiter="\t" if self.input_format == "tsv" else ",")

    def sink(self, reader: RowReader, engine: BulkEngine, files: ExitStack) -> Sink:
        """Open the output, new or to be continued; `files` closes it."""
        writer = self._writer(shape_of(self.options, engine), reader, engine)
        if self.output is None:
            return StdoutSink(writer, sys.stdout.buffer, sys.stderr.buffer)
        sink = FileSink(self.output, writer, self._identity(reader, engine), overwrite=self.overwrite)
        files.callback(sink.close)
        return sink

    def _writer(self, shape: Shape, reader: RowReader, engine: BulkEngine) -> Writer:
        if self.output_format == "npy":
            return NpyWriter(shape)
        if self.output_format == "parquet":
            from .formats.parquet import ParquetWriter

            return ParquetWriter(shape, self.keep, reader.kept_types, engine.model)
        from .formats.jsonlines import JsonWriter

        return JsonWriter(self.keep)

    def _identity(self, reader: RowReader, engine: BulkEngine) -> dict[str, Any]:
        """Return everything that the output's bytes depend on: the same job has the same."""
        return {
            "model": engine.model,
            "precision": engine.precision,
            "input's size": reader.total,
            "input's format": self.input_format,
            "output's format": self.output_format,
            "column": reader.column,
            "kept columns": list(self.keep),
            "kept types": str(reader.kept_types),
            **self.options,
        }


def shape_of(options: EmbedOptions, engine: BulkEngine) -> Shape:
    """Return the shape of vectors with these options. Raises RequestError if the model of `engine` can't give them."""
    dimension = options.get("dimensions") or engine.dimension
    sizes = (*engine.nested_dimensions, engine.dimension)
    if dimension not in sizes:
        offered = ", ".join(map(str, sizes))
        raise RequestError(f"{dimension} dimensions can't be had; this model offers {offered}", field="dimensions")
    return Shape.of(dimension, options.get("encoding", "float32"))


def format_of(path: Path | None, given: str | None, known: Mapping[str, str], *, piped: str, flag: str) -> str:
    """Return `given`, or the format for the suffix of `path`. Raises SettingsError if `known` doesn't have it."""
    if given is not None:
        return given
    if path is None:
        return piped
    suffix = (path.with_suffix("") if path.suffix == ".gz" and flag == "--input-format" else path).suffix.lower()
    if suffix not in known:
        raise SettingsError(f"{path}: its name ends in none of {', '.join(known)}; say {flag}")
    return known[suffix]


def _must_be_writable(output: Path, source: Path | None) -> None:
    if not output.parent.is_dir():
        raise FileError(f"{output} can't be written: there is no folder {output.parent}")
    if output.exists() and not output.is_file():
        raise FileError(f"{output} is no file that could be replaced; --output - is standard output")
    if source is not None and source.exists() and output.exists() and source.samefile(output):
        raise SettingsError(f"{output} is the input too")

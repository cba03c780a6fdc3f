"""File of sentences that is read more than once: to embed it, to index its words, to show what was found."""

import hashlib
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ..bulk.job import Job
from ..bulk.rows import Row
from ..errors import FileError
from ..options import EmbedOptions


@dataclass(frozen=True, slots=True)
class SentenceFile:
    """File of sentences, its format, and which of its columns are read."""

    path: Path
    format: str
    """One of bulk.job.INPUTS' values."""
    column: str | None = None
    """Name of the column of sentences; None for the only one that could be it."""
    keep: tuple[str, ...] = ()
    """Names of the columns to show with the results."""

    def rows(self) -> Iterator[Row]:
        """Yield each row. Raises FileError, or SettingsError if a column doesn't exist."""
        with ExitStack() as files:
            reader = self._job(None, self.keep, {}).read(files)
            yield from (row for row in reader.rows if row is not None)

    def texts(self) -> list[str]:
        """Return the sentence of each row; an empty string for a row without one."""
        return [row.text for row in self.rows()]

    def pick(self, wanted: Collection[int]) -> dict[int, Row]:
        """Return the rows with these numbers, by number. The whole file is read, and the other rows aren't kept."""
        numbers = set(wanted)
        return {number: row for number, row in enumerate(self.rows()) if number in numbers}

    def sha256(self) -> str:
        """Return the hash of the file's bytes. Raises FileError."""
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise FileError(f"{self.path} can't be read: {error.strerror}") from None

    def embedding_job(self, output: Path, options: EmbedOptions) -> Job:
        """Return the job that embeds it into `output`, an array, continued if it was begun by the same job."""
        return self._job(output, (), options)

    def _job(self, output: Path | None, keep: tuple[str, ...], options: EmbedOptions) -> Job:
        kind = "jsonl" if output is None else "npy"
        return Job(self.path, output, self.format, kind, self.column, keep, overwrite=True, options=options)

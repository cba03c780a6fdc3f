"""Manifest of a run over many files, kept beside its outputs: which job it is, and which outputs are complete.

_bothends/job.json        the job, and the run that started it
_bothends/OUTPUT.json     for each output: the run, the input's size, and, once it is complete, its number of rows

Readers of folders of Parquet files skip names that begin with an underscore.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...errors import FileError, SettingsError
from ..journal import Commit
from .storage import OutputFolder

_FORMAT = 1
_FOLDER = "_bothends"


@dataclass(frozen=True, slots=True)
class OutputRecord:
    """State of one output. The fields are the keys of the record on disk."""

    run: str
    input_bytes: int
    by: str = ""
    """Run of the command that began it last."""
    tries: int = 1
    """Number of times that this command started it: more than once if its process died."""
    done: Commit | None = None
    """State of the whole output; None until it is whole."""


@dataclass(frozen=True, slots=True)
class _RunRecord:
    run: str
    job: dict[str, Any]
    has_ended: bool


class Manifest:
    """Records of the outputs in one folder."""

    def __init__(self, folder: OutputFolder) -> None:
        self._folder = folder

    def join(self, job: Mapping[str, Any], run: str, *, overwrite: bool) -> str:
        """Return the id of the run to work for: `run`, or the earlier run that this one continues.

        With `overwrite`, it continues a stopped run of the same job, and starts anew after a finished one. Raises
        SettingsError if there are outputs of another job that may not be overwritten; FileError.
        """
        found = self._run()
        if found is None or (found.run != run and overwrite and (found.has_ended or found.job != job)):
            self._write("job", asdict(_RunRecord(run, dict(job), has_ended=False)))
            return run
        if found.job == job:
            return found.run
        name = next(name for name in {**job, **found.job} if job.get(name) != found.job.get(name))
        was, now = found.job.get(name), job.get(name)
        if found.run == run:
            raise SettingsError(f"nodes don't agree: {name} is {was!r} on one and {now!r} on another")
        raise SettingsError(
            f"{self._folder.url} was begun otherwise: {name} was {was!r} and is {now!r} now; "
            "run it as then to go on, or with --overwrite to begin anew"
        )

    def mark_ended(self) -> None:
        """Record that the current run is finished."""
        if (found := self._run()) is not None:
            self._write("job", asdict(replace(found, has_ended=True)))

    def get(self, output: str) -> OutputRecord | None:
        """Return the record of `output`; None if no run has started it. Raises FileError."""
        found = self._read(output)
        try:
            return found and OutputRecord(**{**found, "done": found["done"] and Commit(**found["done"])})
        except (TypeError, KeyError) as error:
            raise self._broken(output, error) from None

    def put(self, output: str, record: OutputRecord) -> None:
        """Replace the record of `output`. Raises FileError."""
        self._write(output, asdict(record))

    def _run(self) -> _RunRecord | None:
        found = self._read("job")
        try:
            return found and _RunRecord(**found)
        except TypeError as error:
            raise self._broken("job", error) from None

    def _read(self, name: str) -> Any:
        content = self._folder.read(_name(name))
        if content is None:
            return None
        try:
            found = json.loads(content)
            if found.pop("record") != _FORMAT:
                raise ValueError("another format")
        except (ValueError, KeyError, AttributeError) as error:
            raise self._broken(name, error) from None
        return found

    def _write(self, name: str, content: dict[str, Any]) -> None:
        self._folder.write(_name(name), json.dumps({"record": _FORMAT, **content}, indent=1).encode())

    def _broken(self, name: str, error: Exception) -> FileError:
        return FileError(
            f"{self._folder.full(_name(name))} can't be read as a record ({type(error).__name__}); remove it"
        )


def _name(of: str) -> str:
    return f"{_FOLDER}/{of}.json"

"""Plans a run over many files: pairs each input with its output, and checks both before anything is started."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import FileError, SettingsError
from ...options import EmbedOptions
from ..job import INPUTS, OUTPUTS, Job, format_of
from . import storage


@dataclass(frozen=True, slots=True)
class File:
    """Input file, and the name of its output."""

    path: str
    """Path in the input's file system."""
    bytes: int
    output: str
    """Name within the output's folder."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows to embed, the options, the model, and where the vectors go. It is sent to each node."""

    source: str
    output: str
    input_format: str | None
    output_format: str
    column: str | None
    keep: Sequence[str]
    overwrite: bool
    options: EmbedOptions
    bundle: str | None
    model: dict[str, Any]
    """Options of Encoder.load."""
    run: str
    """Name that no other run has."""

    def job(self, source: Path, output: Path, *, overwrite: bool) -> Job:
        """Return the job of one file: embed the rows of `source` into `output`, which may exist if `overwrite`."""
        kind = format_of(source, self.input_format, INPUTS, piped="txt", flag="--input-format")
        return Job(source, output, kind, self.output_format, self.column, self.keep, overwrite, self.options)

    def identity(self) -> dict[str, Any]:
        """Return everything except the model that the outputs' bytes depend on; equal jobs have equal identities."""
        return {
            "input's format": self.input_format,
            "output's format": self.output_format,
            "column": self.column,
            "kept columns": list(self.keep),
            **self.options,
        }


def files(plan: Plan) -> tuple[list[File], list[str]]:
    """Return the files to embed, largest first, and the names of files in unknown formats.

    Raises FileError if nothing is found; SettingsError for impossible options, or for two outputs of one name.
    """
    found = storage.find(plan.source)
    known = [each for each in found if plan.input_format or _has_format(each.name)]
    if not known:
        raise FileError(f"{plan.source}: no file in it whose name ends in {', '.join(INPUTS)}")
    if len(found) > 1 and storage.is_within(plan.output, plan.source):
        raise SettingsError(f"{plan.output} is within {plan.source}: its files would be inputs of the next run")
    suffix = next(suffix for suffix, kind in OUTPUTS.items() if kind == plan.output_format)
    made: dict[str, storage.FoundFile] = {}
    for each in known:
        name = _stem(each.name) + suffix
        if name in made:
            raise SettingsError(f"{made[name].name} and {each.name} would both become {name}; give one of them")
        made[name] = each
        _check(plan, each, name)
    listed = [File(each.path, each.size, name) for name, each in made.items()]
    taken = {each.path for each in known}
    return sorted(listed, key=lambda file: -file.bytes), [each.name for each in found if each.path not in taken]


def _check(plan: Plan, found: storage.FoundFile, output: str) -> None:
    try:
        plan.job(Path(found.path), Path(output), overwrite=False).check_options()
    except SettingsError as error:
        raise SettingsError(f"{found.name}: {error}") from None


def _has_format(name: str) -> bool:
    return PurePosixPath(name.removesuffix(".gz")).suffix.lower() in INPUTS


def _stem(name: str) -> str:
    path = PurePosixPath(name.removesuffix(".gz"))
    return str(path.with_suffix("") if path.suffix.lower() in INPUTS else path)

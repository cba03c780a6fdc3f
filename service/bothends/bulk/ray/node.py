"""Embeds the files that a node was given, each like `bothends embed` alone, with a model that stays loaded."""

import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from ...encoder import Encoder
from ...errors import BothendsError, FileError, SettingsError
from ..engines import BulkEngine, LocalEngine
from ..execute import SWITCH_INTERVAL_S, write_error
from ..job import Job, shape_of
from ..journal import Commit, OutputLockedError
from ..rows import Window
from ..run import InputChangedError, run
from .manifest import Manifest, OutputRecord
from .plan import File, Plan
from .storage import Inputs, OutputFolder

Advance: TypeAlias = Callable[[str, int, int], None]
"""Callback for progress: an output, the bytes of its input that are read, and the rows of this run."""
_BAD = ".bad.jsonl"
_MAX_TRIES = 3
_LOCK_WAIT_S, _PAUSE_S = 10.0, 0.2
"""Seconds to wait for an output's lock: processes of a killed run may hold it a moment longer."""


class _SharedEngine(LocalEngine):
    """A model that outlasts a file that went wrong."""

    def stop(self) -> None:
        """Keep the model, which other files use; what is in progress ends by itself."""


def load_engine(plan: Plan) -> BulkEngine:
    """Load the model that `plan` names. Raises what is wrong with it."""
    return _SharedEngine(Encoder.load(plan.bundle, **plan.model), plan.options)


class Node:
    """Part of a plan that is run on one node."""

    def __init__(self, plan: dict[str, Any], *, load: Callable[[Plan], BulkEngine] = load_engine) -> None:
        """Load the model and join the run. Raises what is wrong with them."""
        self._plan = Plan(**plan)
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._inputs, self._folder = Inputs(self._plan.source), OutputFolder(self._plan.output)
        self._records = Manifest(self._folder)
        self._engine = load(self._plan)
        shape_of(self._plan.options, self._engine)
        job = {"model": self._engine.model, "precision": self._engine.precision, **self._plan.identity()}
        self._run = self._records.join(job, self._plan.run, overwrite=self._plan.overwrite)

    def embed(self, file: dict[str, Any], advance: Advance) -> dict[str, Any]:
        """Embed one file. Returns its counts, or what is wrong with it, as JSON values."""
        try:
            return self._embed(File(**file), advance)
        except Exception as error:  # it may not get to Ray, which would log it
            return describe_error(error)

    def _embed(self, file: File, advance: Advance) -> dict[str, Any]:
        known = self._records.get(file.output)
        if known is not None and known.run == self._run:
            if known.input_bytes != file.bytes:
                raise SettingsError(
                    f"{file.path} has changed since it was embedded: it had {known.input_bytes} bytes and has "
                    f"{file.bytes} now; --overwrite begins all of it anew"
                )
            if known.done is not None and self._folder.holds(file.output):
                return {"model": self._engine.model, "was_there": True, "before": known.done.rows, **asdict(known.done)}
        overwrite = self._plan.overwrite or known is not None
        if not overwrite and self._folder.holds(file.output):
            raise SettingsError(f"{self._folder.full(file.output)} is there already; --overwrite replaces it")
        begun = self._begin(file, known)
        with TemporaryDirectory(prefix="bothends-") as folder:
            before, done, notes = self._embed_staged(file, Path(folder), advance, overwrite=overwrite)
        self._records.put(file.output, replace(begun, done=done))
        return {"model": self._engine.model, "was_there": False, "before": before, "notes": notes, **asdict(done)}

    def _begin(self, file: File, known: OutputRecord | None) -> OutputRecord:
        """Record that `file` is started.

        Raises FileError if it has repeatedly ended the process: Ray would retry it for ever.
        """
        is_again = known is not None and known.by == self._plan.run and known.done is None
        tries = known.tries + 1 if known is not None and is_again else 1
        if tries > _MAX_TRIES:
            raise FileError(
                f"{file.path}: the process that embedded it has died {_MAX_TRIES} times (of too little memory, say)"
            )
        begun = OutputRecord(self._run, file.bytes, self._plan.run, tries)
        self._records.put(file.output, begun)
        return begun

    def _embed_staged(
        self, file: File, folder: Path, advance: Advance, *, overwrite: bool
    ) -> tuple[int, Commit, Sequence[str]]:
        """Embed `file`: fetch it if it isn't here, and put the output if it doesn't stay here."""
        fetched, written = folder / "in", folder / "out"  # the two may have one name
        fetched.mkdir()
        written.mkdir()
        made = self._folder.local(file.output) if self._folder.is_local else written / Path(file.output).name
        source = self._inputs.fetch(file.path, fetched)
        try:
            found = self._write_once_unlocked(self._plan.job(source, made, overwrite=overwrite), file, advance)
        except BothendsError as error:  # people know the names that they gave
            named = str(error).replace(str(source), file.path)
            named = named.replace(str(made), self._folder.full(file.output))
            named = named if file.path in named or file.output in named else f"{file.path}: {named}"
            raise (SettingsError if isinstance(error, SettingsError) else FileError)(named) from error
        if not self._folder.is_local:
            bad = made.with_name(made.name + _BAD)
            if bad.exists():
                self._folder.put(bad, file.output + _BAD)
            else:
                self._folder.remove(file.output + _BAD)
            self._folder.put(made, file.output)
        return found

    def _write_once_unlocked(self, job: Job, file: File, advance: Advance) -> tuple[int, Commit, Sequence[str]]:
        until = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                return self._write(job, file, advance)
            except OutputLockedError:
                if time.monotonic() > until:
                    raise
            time.sleep(_PAUSE_S)

    def _write(self, job: Job, file: File, advance: Advance) -> tuple[int, Commit, Sequence[str]]:
        """Return the rows that were there, the state of the output now, and warnings for a person."""
        job.check()
        with ExitStack() as files:
            reader = job.read(files)
            try:
                sink = job.sink(reader, self._engine, files)
                before = sink.committed.rows

                def report(window: Window) -> None:
                    share = window.position / reader.total if reader.total else 0.0
                    advance(file.output, int(share * file.bytes), max(window.end - before, 0))

                try:
                    done = run(reader, self._engine, sink, report)
                    return before, done, [f"{file.path}: {reader.note}"] if reader.note else []
                except InputChangedError:
                    if not job.overwrite:
                        raise
                    sink.discard()
            except OSError as error:
                raise write_error(job, error) from error
        return self._write(job, file, advance)


def describe_error(error: Exception) -> dict[str, Any]:
    """Describe `error` as JSON values.

    An unexpected one is given by type and location only, since its text might hold a sentence.
    """
    if isinstance(error, BothendsError):
        return {"problem": str(error), "is_setting": isinstance(error, SettingsError)}
    where = traceback.extract_tb(error.__traceback__)[-1]
    index = f"{Path(where.filename).name}:{where.lineno}"
    return {"problem": f"{type(error).__name__} in {index}", "is_setting": False}

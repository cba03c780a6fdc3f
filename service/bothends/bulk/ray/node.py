"""One file after another through a model that stays loaded, each as `bothends embed` does it alone. Knows no Ray."""

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
from ..engines import LocalEngine
from ..execute import SWITCH_S, unwritten
from ..job import Job, shape_of
from ..journal import Committed, TakenError
from ..rows import Window
from ..run import run
from .manifest import Manifest, Record
from .plan import File, Plan
from .storage import Inputs, OutputFolder

Advance: TypeAlias = Callable[[str, int, int], None]
"""Of an output: bytes of its input that are read, and rows of this run."""
_BAD = ".bad.jsonl"
_MOST_TRIES = 3
_PATIENCE_S, _PAUSE_S = 10.0, 0.2
"""What a killed run has started may live a moment longer, and hold an output's lock meanwhile."""


class _Shared(LocalEngine):
    """A model that outlasts the file that went wrong."""

    def stop(self) -> None:
        """Others use it; what is in progress ends by itself."""


class Node:
    """A plan's part that is done here."""

    def __init__(self, plan: dict[str, Any]) -> None:
        """Load the model and join the run. Raises what is wrong with them."""
        self._plan = Plan(**plan)
        sys.setswitchinterval(SWITCH_S)
        self._inputs, self._folder = Inputs(self._plan.source), OutputFolder(self._plan.output)
        self._records = Manifest(self._folder)
        self._engine = _Shared(Encoder.load(self._plan.bundle, **self._plan.model), self._plan.asked)
        shape_of(self._plan.asked, self._engine)
        job = {"model": self._engine.model, "precision": self._engine.precision, **self._plan.identity()}
        self._run = self._records.join(job, self._plan.run, overwrite=self._plan.overwrite)

    def embed(self, file: dict[str, Any], advance: Advance) -> dict[str, Any]:
        """What became of it, for JSON; where something is wrong with it, that."""
        try:
            return self._embed(File(**file), advance)
        except Exception as error:  # it mayn't get to Ray, which logs it
            return problem(error)

    def _embed(self, file: File, advance: Advance) -> dict[str, Any]:
        known = self._records.of(file.output)
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
            before, done, notes = self._through(file, Path(folder), advance, overwrite=overwrite)
        self._records.keep(file.output, replace(begun, done=done))
        return {"model": self._engine.model, "was_there": False, "before": before, "notes": notes, **asdict(done)}

    def _begin(self, file: File, known: Record | None) -> Record:
        """Raises FileError for one that nobody survives: Ray would give it to another process for ever."""
        is_again = known is not None and known.by == self._plan.run and known.done is None
        tries = known.tries + 1 if known is not None and is_again else 1
        if tries > _MOST_TRIES:
            raise FileError(
                f"{file.path}: the process that embedded it has died {_MOST_TRIES} times (of too little memory, say)"
            )
        begun = Record(self._run, file.bytes, self._plan.run, tries)
        self._records.keep(file.output, begun)
        return begun

    def _through(
        self, file: File, folder: Path, advance: Advance, *, overwrite: bool
    ) -> tuple[int, Committed, Sequence[str]]:
        """Fetch what isn't here, embed, and put what doesn't stay here."""
        fetched, written = folder / "in", folder / "out"  # the two may have one name
        fetched.mkdir()
        written.mkdir()
        made = self._folder.local(file.output) if self._folder.is_local else written / Path(file.output).name
        source = self._inputs.fetch(file.path, fetched)
        try:
            found = self._when_free(self._plan.job(source, made, overwrite=overwrite), file, advance)
        except BothendsError as error:  # what people know is the names that they gave
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

    def _when_free(self, job: Job, file: File, advance: Advance) -> tuple[int, Committed, Sequence[str]]:
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._write(job, file, advance)
            except TakenError:
                if time.monotonic() > until:
                    raise
            time.sleep(_PAUSE_S)

    def _write(self, job: Job, file: File, advance: Advance) -> tuple[int, Committed, Sequence[str]]:
        """Rows that were there, what is there now, and what a person should know."""
        job.check()
        with ExitStack() as files:
            reader = job.read(files)
            try:
                sink = job.sink(reader, self._engine, files)
                before = sink.done.rows

                def tell(window: Window) -> None:
                    share = window.position / reader.total if reader.total else 0.0
                    advance(file.output, int(share * file.bytes), max(window.end - before, 0))

                done = run(reader, self._engine, sink, tell)
            except OSError as error:
                raise unwritten(job, error) from error
            return before, done, [f"{file.path}: {reader.note}"] if reader.note else []


def problem(error: Exception) -> dict[str, Any]:
    """What is wrong, for JSON. Of what nobody expected the kind and the place only: its text might be a sentence's."""
    if isinstance(error, BothendsError):
        return {"problem": str(error), "is_setting": isinstance(error, SettingsError)}
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno}"
    return {"problem": f"{type(error).__name__} in {place}", "is_setting": False}

"""Prints a line about each file of a run on Ray, and a summary at the end."""

from typing import Any

import click

from ...errors import BothendsError, FileError, SettingsError
from .plan import Plan


class RunSummary:
    """Counts of a run over many files."""

    def __init__(self, plan: Plan) -> None:
        self.files = 0
        """Number of files that are whole."""
        self.fatal: BothendsError | None = None
        """Error that every file would meet, if there is one."""
        self._output = plan.output
        self._model = ""
        self._there = self._rows = self._before = self._bad = self._cut = 0
        self._failed: list[bool] = []
        """Flags of the files that failed, True where a setting was wrong."""

    @property
    def exit_code(self) -> int:
        """Exit code of the command: 2 if each failure was a wrong setting, 1 if files failed or nothing has a vector,
        otherwise 0.
        """
        if not self._failed:
            return int(self._is_empty)
        return 2 if all(self._failed) else 1

    @property
    def _is_empty(self) -> bool:
        """True if files were read, and none of them has a row with a vector."""
        return self.files > 0 and self._rows == self._bad

    def add(self, answer: dict[str, Any]) -> None:
        """Count the result for one file, and print what is wrong with it."""
        if (problem := answer.get("problem")) is not None:
            if answer.get("is_fatal"):
                is_setting = answer["is_setting"]
                error = SettingsError(problem) if is_setting else FileError(f"node {answer['node']}: {problem}")
                self.fatal = self.fatal or error
                return
            self._failed.append(answer["is_setting"])
            click.echo(f"Error: {problem}", err=True)
            return
        for note in answer.get("notes", ()):
            click.echo(f"Warning: {note}", err=True)
        self.files += 1
        self._model = answer["model"]
        self._there += answer["was_there"]
        self._rows += answer["rows"]
        self._before += answer["before"]
        self._bad += answer["bad_rows"]
        self._cut += answer["cut"]

    def line(self, seconds: float) -> str:
        """Return a line that sums up the run, which took `seconds`: files, rows, rate, rows that were cut or bad."""
        rows = self._rows - self._before
        rate = f", {rows / seconds:,.0f} rows/s" if rows and seconds else ""
        by = f" by {self._model}" if self._model else ""
        there = f" ({self._there:,} were there already)" if self._there else ""
        cut = f"; {self._cut:,} were longer than the model reads and were cut" if self._cut else ""
        bad = f"; {self._bad:,} have no vector, {self._output}/*.bad.jsonl say why" if self._bad else ""
        failed = f"; {len(self._failed):,} files failed, as said above" if self._failed else ""
        failed += "; nothing was embedded: are these text files?" if self._is_empty else ""
        head = f"{self._output}: {self.files:,} files{there}, {self._rows:,} rows{by} in {seconds:,.1f} s{rate}"
        return f"{head}{cut}{bad}{failed}"

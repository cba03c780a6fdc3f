"""What became of each file of a run, told as it becomes known, and of all of them at the end. Knows no Ray."""

from typing import Any

import click

from ...errors import BothendsError, FileError, SettingsError
from .plan import Plan


class Summary:
    """Of a run over many files."""

    def __init__(self, plan: Plan) -> None:
        self.files = 0
        """That are whole."""
        self.fatal: BothendsError | None = None
        """What is wrong for every file."""
        self._output = plan.output
        self._model = ""
        self._there = self._rows = self._before = self._bad = self._cut = 0
        self._failed: list[bool] = []
        """Of each file that failed, whether a setting was wrong."""

    @property
    def code(self) -> int:
        """The exit code: that of a run of one file."""
        return 0 if not self._failed else 2 if all(self._failed) else 1

    def add(self, answer: dict[str, Any]) -> None:
        """Count it, and tell of what is wrong with it."""
        if (problem := answer.get("problem")) is not None:
            if answer.get("is_fatal"):
                told = (
                    SettingsError(problem) if answer["is_setting"] else FileError(f"node {answer['node']}: {problem}")
                )
                self.fatal = self.fatal or told
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

    def summary(self, seconds: float) -> str:
        """One line of all."""
        rows = self._rows - self._before
        rate = f", {rows / seconds:,.0f} rows/s" if rows and seconds else ""
        by = f" by {self._model}" if self._model else ""
        there = f" ({self._there:,} were there already)" if self._there else ""
        cut = f"; {self._cut:,} were longer than the model reads and were cut" if self._cut else ""
        bad = f"; {self._bad:,} have no vector, {self._output}/*.bad.jsonl say why" if self._bad else ""
        failed = f"; {len(self._failed):,} files failed, as said above" if self._failed else ""
        head = f"{self._output}: {self.files:,} files{there}, {self._rows:,} rows{by} in {seconds:,.1f} s{rate}"
        return f"{head}{cut}{bad}{failed}"

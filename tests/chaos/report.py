"""Figures of attacks, as JSON and as the table of docs/reliability.md: `python -m tests.chaos.report` renders it.

Knows nothing of pytest and of what is attacked.
"""

import json
import os
import re
import subprocess
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from tests.support.paths import ROOT

JSON = ROOT / "docs" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- chaos:begin -->", "<!-- chaos:end -->"
_UNITS = {"percent": " %", "s": " s", "ms": " ms", "us": " µs", "mb": " MB", "bytes": " bytes", "ratio": " ×"}


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: its file, the promise that it attacks, the form in which it ran, its figures, its date and commit."""

    test: str
    promise: str
    form: str
    figures: dict[str, float | str]
    date: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Figures of one machine. Attacks that ran on another day stay until they run again."""

    machine: dict[str, str]
    attacks: dict[str, Attack] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path, machine: dict[str, str] | None = None) -> Self:
        """Read `file`; the report is empty where there is none, or where it holds another machine's figures."""
        found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"machine": machine, "attacks": {}}
        if machine is not None and found["machine"] != machine:
            return cls(machine)
        return cls(found["machine"], {name: Attack(**attack) for name, attack in found["attacks"].items()})

    def with_attacks(self, attacks: dict[str, Attack]) -> Self:
        """Return the same with attacks that ran today, on the code that is checked out."""
        date = datetime.now(UTC).date().isoformat()
        ran = {name: replace(attack, date=date, commit=_commit()) for name, attack in attacks.items()}
        return replace(self, attacks=dict(sorted((self.attacks | ran).items())))

    def write(self, file: Path) -> None:
        """Write it as JSON."""
        file.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def table(self) -> str:
        """Render it as Markdown: a line on the machine, and a row an attack."""
        lines = [
            f"Measured on {self.machine['processor']}, {self.machine['cores']} cores.",
            "",
            "| attack | must hold | tried and measured | lost | run |",
            "| :-- | :-- | :-- | --: | :-- |",
        ]
        for name, attack in self.attacks.items():
            figures = dict(attack.figures)
            lost = figures.pop("lost", "–")
            test = f"[{name}](../tests/chaos/{attack.test})"
            run = f"{attack.form}, {attack.date}, {attack.commit}"
            lines.append(f"| {test} | {attack.promise} | {in_words(figures)} | {lost} | {run} |")
        return "\n".join(lines)


def in_words(figures: dict[str, float | str]) -> str:
    """Render `calls=1000, growth_percent=0.5` as "calls 1,000; growth 0.5 %"."""
    return "; ".join(_in_words(name, value) for name, value in figures.items())


def _in_words(name: str, value: float | str) -> str:
    words, _, last = name.rpartition("_")
    unit = _UNITS.get(last, "") if words else ""
    label = (words if unit else name).replace("_", " ")
    number = value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"
    return f"{label} {number}{unit}"


def this_machine() -> dict[str, str]:
    """Processor and cores: nothing that names the machine or its owner."""
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {"processor": found[1].strip() if found else "unknown", "cores": str(len(os.sched_getaffinity(0)))}


def rendered(page: str, report: Report) -> str:
    """The page with the report's table between its markers."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{report.table()}\n{END}{after}"


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8"), Report.read(JSON)), encoding="utf-8")

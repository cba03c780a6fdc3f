"""Keeps the figures of attacks as JSON and renders them in docs/reliability.md: `python -m tests.chaos.report`."""

import json
import os
import re
import subprocess
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from tests.support.paths import ROOT

JSON = Path(__file__).with_name("reliability.json")
PAGE = ROOT / "docs" / "reliability.md"
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

    @property
    def tells_costs(self) -> bool:
        """True where it says what it cost others and how soon they had it as before: its row is in a table of those."""
        return "back_s" in self.figures

    @property
    def run(self) -> str:
        """Form, date and commit."""
        return f"{self.form}, {self.date}, {self.commit}"

    def linked(self, name: str) -> str:
        """Link to its test, as Markdown."""
        return f"[{name}](../tests/chaos/{self.test})"


@dataclass(frozen=True, slots=True)
class Report:
    """Figures of one machine. Attacks that ran on another day stay until they run again."""

    machine: dict[str, str]
    attacks: dict[str, Attack] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path, machine: dict[str, str] | None = None) -> Self:
        """Read `file`; the report is empty where there is none, or where it holds another machine's figures."""
        if not file.exists():
            return cls(machine or {})
        found = json.loads(file.read_text(encoding="utf-8"))
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

    def promises(self) -> str:
        """Render what each promise withstood as Markdown: a line on the machine, and a row an attack."""
        lines = [
            *self._head(),
            "| attack | must hold | tried and measured | lost | run |",
            "| :-- | :-- | :-- | --: | :-- |",
        ]
        for name, attack in self.attacks.items():
            if not attack.tells_costs:
                figures = dict(attack.figures)
                lost = figures.pop("lost", "–")
                cells = attack.linked(name), attack.promise, in_words(figures), str(lost), attack.run
                lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def costs(self) -> str:
        """Render what attacks cost others as Markdown: a line on the machine, and a row an attack of those that say."""
        if not self.attacks:
            return "Not measured yet."
        lines = [
            *self._head(),
            "| attack | sent | before | memory, at most and kept | neighbour's p50, alone → beside it "
            "| p99, alone → beside it | failed | back to normal after | besides | run |",
            "| :-- | --: | :-- | --: | --: | --: | --: | --: | :-- | :-- |",
        ]
        for name, attack in self.attacks.items():
            if attack.tells_costs:
                lines.append(f"| {' | '.join([attack.linked(name), *_costs(attack.figures), attack.run])} |")
        return "\n".join(lines)

    def _head(self) -> list[str]:
        return [f"Measured on {self.machine['processor']}, {self.machine['cores']} cores.", ""]


def _costs(figures: dict[str, float | str]) -> list[str]:
    """Cells of what an attack cost: a dash where it doesn't say, and in the last one all that has no column."""
    rest = dict(figures)

    def taken(*names: str, joined_by: str = "") -> str:
        if not rest.keys() >= set(names):
            return "–"
        return joined_by.join(_value(name, rest.pop(name)) for name in names)

    cells = [
        taken("sent_bytes"),
        taken("before"),
        taken("grew_mb", "kept_mb", joined_by=" and "),
        taken("others_p50_alone_ms", "others_p50_ms", joined_by=" → "),
        taken("others_p99_alone_ms", "others_p99_ms", joined_by=" → "),
        taken("lost"),
        taken("back_s"),
    ]
    return [*cells, in_words(rest)]


def in_words(figures: dict[str, float | str]) -> str:
    """Render `calls=1000, growth_percent=0.5` as "calls 1,000; growth 0.5 %"."""
    return "; ".join(_in_words(name, value) for name, value in figures.items())


def _in_words(name: str, value: float | str) -> str:
    words = name.rpartition("_")[0] if _unit(name) else name
    return f"{words.replace('_', ' ')} {_value(name, value)}"


def _value(name: str, value: float | str) -> str:
    number = value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"
    return f"{number}{_unit(name)}"


def _unit(name: str) -> str:
    words, _, last = name.rpartition("_")
    return _UNITS.get(last, "") if words else ""


def this_machine() -> dict[str, str]:
    """Processor and cores: nothing that names the machine or its owner."""
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {"processor": found[1].strip() if found else "unknown", "cores": str(len(os.sched_getaffinity(0)))}


def costs_beside(file: Path) -> Path:
    """Return where the attacks are kept that say what they cost: beside `file`, which holds the others'.

    Both may be of another machine, and figures of two machines don't stand in one file.
    """
    return file.with_stem(f"{file.stem}-costs")


def keep(attacks: dict[str, Attack], file: Path) -> None:
    """Write attacks that ran today to `file`, and those that say what they cost beside it."""
    for index, are_costs in ((file, False), (costs_beside(file), True)):
        if found := {name: attack for name, attack in attacks.items() if attack.tells_costs is are_costs}:
            Report.read(index, this_machine()).with_attacks(found).write(index)


def rendered(page: str, promises: Report, costs: Report) -> str:
    """The page with both reports' tables, each between its markers."""
    for name, table in {"chaos": promises.promises(), "costs": costs.costs()}.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n{table}\n{end}{after}"
    return page


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(rendered(page, Report.read(JSON), Report.read(costs_beside(JSON))), encoding="utf-8")

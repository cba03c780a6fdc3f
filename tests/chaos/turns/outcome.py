"""What came of an attack: figures, what is wrong however busy the machine is, and the bars that were missed."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..report import in_words


@dataclass
class Outcome:
    """Of one attack. `figures` are `record`'s."""

    name: str
    figures: dict[str, float | str] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)
    shortfalls: list[str] = field(default_factory=list)

    def hold(self, figure: float, bar: float, words: str, *, is_least: bool = False) -> None:
        """Note a bar that isn't held: `figure` is to be at most it, or at least."""
        if figure < bar if is_least else figure > bar:
            self.shortfalls.append(f"{words} is {figure:.3g}; the bar is {bar:g}")

    def line(self) -> str:
        """All of it on one line."""
        parts = [f"{self.name}: {in_words(self.figures)}"]
        parts += [f"WRONG {words}" for words in self.wrongs] + [f"MISSED {words}" for words in self.shortfalls]
        return " | ".join(parts)


class Attack(Protocol):
    """One attack and what it is measured by."""

    @property
    def before(self) -> str:
        """What it did before it was bounded, in words."""

    def run(self, name: str, *, seconds: float, folder: Path) -> Outcome:
        """Attack a server of its own, measured for so many seconds; `folder` is empty, and the attack's."""

"""Reads the commands that a document shows, each with the output that it shows."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Shown:
    """A fenced command, and the fenced output that follows it."""

    command: str
    output: str

    def is_outline_of(self, printed: str) -> bool:
        """Return True if `printed` is the shown output, in which … stands for any text."""
        outline = ".*?".join(re.escape(part) for part in self.output.strip("\n").split("…"))
        return re.fullmatch(outline, printed.strip("\n"), re.DOTALL) is not None


def shown(document: Path) -> list[Shown]:
    """Commands in the document's order."""
    text = document.read_text(encoding="utf-8")
    pairs = re.findall(r"```sh\n((?:(?!```).)*)```\n\n```(?:json|text)\n(.*?)```", text, re.DOTALL)
    return [Shown(command, output) for command, output in pairs]

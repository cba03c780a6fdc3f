"""Breaks the code of rooms on purpose, one fault at a time, and says what their tests didn't notice: `make mutate`."""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.progress import Progress

from tests.mutation import report
from tests.mutation.mutants import Mutant, made, written_down
from tests.mutation.rooms import ROOMS, Room
from tests.mutation.tree import FailsAnywayError, Outcome, Tree, copied
from tests.support.paths import ROOT

KEPT = ROOT / ".mutation"
"""Folder of outcomes, by which a run that was ended goes on."""


class Kept:
    """Outcomes of one state of the code and the tests, kept in a file."""

    def __init__(self, room: str, tree: Tree) -> None:
        digest = hashlib.sha256()
        for top in ("service", "export", "training", "native", "tests"):
            for path in sorted((tree.root / top).rglob("*.*")):
                if path.is_file() and path.suffix != ".pyc":
                    digest.update(str(path.relative_to(tree.root)).encode() + path.read_bytes())
        KEPT.mkdir(exist_ok=True)
        self._file = KEPT / f"{room}-{digest.hexdigest()[:12]}.jsonl"
        lines = self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else []
        self._known = {key: Outcome(*outcome) for key, *outcome in map(json.loads, lines)}

    def outcome(self, mutant: Mutant, tree: Tree) -> Outcome:
        """Outcome of `mutant` as it is known, or else as it is in `tree`."""
        if mutant.key not in self._known:
            found = self._known[mutant.key] = tree.outcome(mutant)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps([mutant.key, found.state, found.test]) + "\n")
        return self._known[mutant.key]


def drawn(room: Room, root: Path, sample: int, seed: int) -> tuple[list[Mutant], int]:
    """Faults that were written down, then `sample` others by chance; and how many there are."""
    files = room.files(root)
    written = written_down(files, root)
    others = [] if room.is_native else sorted(made(files, root), key=lambda mutant: mutant.rank(seed))
    return written + others[:sample], len(written) + len(others)


def tested(name: str, sample: int, seed: int, commit: str | None, progress: Progress) -> Iterator[str]:
    """Lines that say what became of room `name`'s mutants."""
    room = ROOMS[name]
    with copied(commit, room) as tree:
        kept = Kept(name, tree)
        mutants, of = drawn(room, tree.root, sample, seed)
        task = progress.add_task(f"{name}: without a fault", total=len(mutants))
        taken = tree.measure()
        results = []
        for mutant in mutants:
            progress.update(task, description=f"{name}: {mutant.file}:{mutant.line}")
            results.append((mutant, kept.outcome(mutant, tree)))
            progress.advance(task)
        progress.update(task, description=f"{name}: its tests take {taken:.0f} s")
    yield report.survivors(results)
    yield report.score(name, results, of)


@click.command()
@click.argument("rooms", nargs=-1, type=click.Choice(list(ROOMS)))
@click.option("--sample", default=40, show_default=True, help="mutants a room, beside faults that were written down")
@click.option("--seed", default=0, show_default=True, help="which sample")
@click.option("--commit", help="a commit in place of the working tree")
def main(rooms: tuple[str, ...], sample: int, seed: int, commit: str | None) -> None:
    """Break the code of ROOMS, or of all, on purpose, and say what their tests don't notice."""
    with Progress() as progress:
        for name in rooms or ROOMS:
            try:
                for line in tested(name, sample, seed, commit, progress):
                    progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
            except FailsAnywayError as error:
                sys.exit(f"{name}: its tests fail without any fault\n{error}")


if __name__ == "__main__":
    main()

"""Reports outcomes of mutants: survivors as diffs, and the score of each room."""

from collections import Counter
from collections.abc import Iterable

from tests.mutation.mutants import Mutant
from tests.mutation.tree import Outcome

Result = tuple[Mutant, Outcome]


def survivors(results: Iterable[Result]) -> str:
    """Each mutant that no test noticed, with its place and its diff."""
    return "\n".join(
        f"{mutant.file}:{mutant.line}: {mutant.what}\n{mutant.diff}"
        for mutant, outcome in sorted(results, key=lambda result: (result[0].file, result[0].line))
        if outcome.state == "survived"
    )


def score(room: str, results: list[Result], of: int) -> str:
    """One line: how many of `results` were noticed, of the `of` mutants that there are."""
    states = Counter(outcome.state for _, outcome in results)
    noticed, tested = states["killed"] + states["timed out"], len(results) - states["not built"]
    share = f"{noticed / tested:.0%}" if tested else "none"
    late, broken = states["timed out"], states["not built"]
    return f"{room}: {noticed} of {tested} noticed ({share}), {late} of them by a time limit; {of} there are" + (
        f"; {broken} can't be built" if broken else ""
    )

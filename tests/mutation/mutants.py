"""Makes mutants of the code: by cosmic-ray's operators, and from the faults that somebody wrote down in faults.toml."""

import ast
import difflib
import hashlib
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FAULTS = Path(__file__).parent / "faults.toml"
OPERATORS = (
    "AddNot",
    "ExceptionReplacer",
    "NumberReplacer",
    "RemoveDecorator",
    "ReplaceAndWithOr",
    "ReplaceBinaryOperator_Add_Sub",
    "ReplaceBinaryOperator_Div_Mul",
    "ReplaceBinaryOperator_FloorDiv_Mul",
    "ReplaceBinaryOperator_Mod_Add",
    "ReplaceBinaryOperator_Mul_Div",
    "ReplaceBinaryOperator_Sub_Add",
    "ReplaceBreakWithContinue",
    "ReplaceComparisonOperator_Eq_NotEq",
    "ReplaceComparisonOperator_GtE_Gt",
    "ReplaceComparisonOperator_Gt_GtE",
    "ReplaceComparisonOperator_IsNot_Is",
    "ReplaceComparisonOperator_Is_IsNot",
    "ReplaceComparisonOperator_LtE_Lt",
    "ReplaceComparisonOperator_Lt_LtE",
    "ReplaceComparisonOperator_NotEq_Eq",
    "ReplaceContinueWithBreak",
    "ReplaceFalseWithTrue",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_Delete_USub",
    "ZeroIterationForLoop",
)
"""One of each kind of cosmic-ray's, who has ten others for each sum."""
DECLARES = ("@dataclass", "@override", "@abstractmethod", "from ", "import ", "*,")
"""Beginnings of lines in which a fault changes nothing that runs."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One file's code, and the same with a fault."""

    file: str
    what: str
    before: str
    after: str

    @property
    def diff(self) -> str:
        """The change as a unified diff, with a line around it."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        return "".join(difflib.unified_diff(before, after, f"a/{self.file}", f"b/{self.file}", n=1))

    @property
    def line(self) -> int:
        """Number of the first line that differs, from 1."""
        pairs = zip(self.before.splitlines(), self.after.splitlines(), strict=False)
        return next((number for number, (old, new) in enumerate(pairs, 1) if old != new), 1)

    @property
    def key(self) -> str:
        """Digest of the change without its place, the same in every version of the file that has these lines."""
        changed = [line for line in self.diff.splitlines()[2:] if not line.startswith("@@")]
        return hashlib.sha256("\n".join([self.file, *changed]).encode()).hexdigest()

    def rank(self, seed: int) -> str:
        """Place in the order in which samples are drawn, by chance."""
        return hashlib.sha256(f"{seed} {self.key}".encode()).hexdigest()


def faults() -> list[dict[str, str]]:
    """Entries of faults.toml: file, what, old and new."""
    found: list[dict[str, str]] = tomllib.loads(FAULTS.read_text(encoding="utf-8"))["fault"]
    return found


def written_down(files: list[str], root: Path) -> list[Mutant]:
    """Faults of faults.toml in `files`, of which `root` has the code. What doesn't fit another commit's is left out."""
    found = []
    for fault in faults():
        code = (root / fault["file"]).read_text(encoding="utf-8") if fault["file"] in files else ""
        if code.count(fault["old"]) == 1:
            found.append(Mutant(fault["file"], fault["what"], code, code.replace(fault["old"], fault["new"])))
    return found


def made(files: list[str], root: Path) -> Iterator[Mutant]:
    """All mutants of Python `files` under `root`, each once."""
    from cosmic_ray.ast import ast_nodes, get_ast

    operators = _operators()
    for file in files:
        code = (root / file).read_text(encoding="utf-8")
        nodes, seen = list(ast_nodes(get_ast(code))), {ast.dump(ast.parse(code))}
        for name, make in operators.items():
            for occurrence in range(sum(1 for node in nodes for _ in make().mutation_positions(node))):
                mutant = Mutant(file, name, code, _mutated(code, make(), occurrence))
                if _matters(mutant, seen):
                    yield mutant


def _mutated(code: str, operator: Any, occurrence: int) -> str:
    """`code` with the operator's fault; as it is where the operator fails, as ExceptionReplacer does at `a.Error`."""
    from cosmic_ray.mutating import mutate_code

    try:
        mutated: str = mutate_code(code, operator, occurrence)
    except AttributeError:
        return code
    return mutated


def _operators() -> dict[str, Callable[[], Any]]:
    from cosmic_ray.plugins import get_operator

    from tests.mutation.operators import OmitArgument, RemoveStatement

    theirs = {name: get_operator(f"core/{name}") for name in OPERATORS}
    return theirs | {made.__name__: made for made in (OmitArgument, RemoveStatement)}


def _matters(mutant: Mutant, seen: set[str]) -> bool:
    """True where it is code, differs from all in `seen`, to which it is added, and can change what runs."""
    try:
        tree = ast.dump(ast.parse(mutant.after))
    except SyntaxError:
        return False
    is_new = tree not in seen
    seen.add(tree)
    return is_new and not mutant.before.splitlines()[mutant.line - 1].lstrip().startswith(DECLARES)

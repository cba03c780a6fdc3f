"""Two operators beside cosmic-ray's, for what passes tests most often: something isn't done, or isn't handed on."""

from collections.abc import Iterator, Sequence
from typing import Any

from cosmic_ray.operators.operator import Example, Operator
from parso.python.tree import Name

Position = tuple[tuple[int, int], tuple[int, int]]


class RemoveStatement(Operator):  # type: ignore[misc]  # Cosmic Ray has no types
    """Replaces a call whose result isn't used, or an assignment to an attribute or an element, by `pass`."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        """Position of the statement in `node`, if it is one of those."""
        if node.type == "simple_stmt" and self._is_effect(node.children[0]):
            yield (node.start_pos, node.end_pos)

    def mutate(self, node: Any, _index: int) -> Any:
        """`node` with `pass` in place of its statement."""
        first = node.get_first_leaf()
        node.children[0] = Name("pass", first.start_pos, first.prefix)
        return node

    @classmethod
    def examples(cls) -> Sequence[Example]:
        """Code before and after."""
        return (
            Example("def f():\n    g(1)\n", "def f():\n    pass\n"),
            Example("self.count += 1\n", "pass\n"),
            Example("held[key] = 1\n", "pass\n"),
        )

    @staticmethod
    def _is_effect(statement: Any) -> bool:
        if statement.type == "atom_expr":
            return bool(statement.children[-1].children[0] == "(")
        return statement.type == "expr_stmt" and statement.children[0].type in ("atom_expr", "power")


class OmitArgument(Operator):  # type: ignore[misc]  # Cosmic Ray has no types
    """Leaves an argument by name out of a call."""

    def mutation_positions(self, node: Any) -> list[Position]:
        """Positions of the arguments by name in `node`, where it is what stands between a call's parentheses."""
        return [(node.children[at].start_pos, node.children[at].end_pos) for at in self._named(node)]

    def mutate(self, node: Any, index: int) -> Any:
        """`node` without its argument by name of number `index`, and without the comma after it."""
        at = self._named(node)[index]
        is_followed = node.children[at + 1 : at + 2] == [","]
        del node.children[at : at + 1 + is_followed]
        return node

    @classmethod
    def examples(cls) -> Sequence[Example]:
        """Code before and after."""
        return (
            Example("f(1, key=2)\n", "f(1,)\n"),
            Example("f(key=2, other=3)\n", "f( other=3)\n"),
            Example("f(key=2)\n", "f()\n"),
        )

    @staticmethod
    def _named(node: Any) -> list[int]:
        if node.type not in ("arglist", "trailer"):
            return []
        return [
            index for index, child in enumerate(node.children) if child.type == "argument" and child.children[1] == "="
        ]

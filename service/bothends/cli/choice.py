"""Option whose value is one of a few words."""

from difflib import get_close_matches
from typing import Any

import click


class Choice(click.Choice[str]):
    """`click.Choice` that asks whether the nearest word was meant, where none is given."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        """Return why `value` can't be taken."""
        return f"{super().get_invalid_choice_message(value, ctx).rstrip('.')}{did_you_mean(str(value), self.choices)}"


def did_you_mean(word: str, known: Any) -> str:
    """Return the question that ends an error about the unknown `word`: was the nearest of `known` meant?"""
    nearest = get_close_matches(word, known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""

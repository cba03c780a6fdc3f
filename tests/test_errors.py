"""The tree of errors: each has its place and its reason."""

import inspect

import pytest

from bothends import errors
from bothends.errors import BothendsError, LongSentenceError, QuotaError, RequestError

ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, BothendsError)]


@pytest.mark.parametrize("kind", ERRORS)
def test_each_stands_in_the_drawn_tree_under_its_base(kind: type[BothendsError]) -> None:
    """The tree at the head of errors.py is drawn by hand; a new class without a place in it fails here."""
    assert errors.__doc__ is not None
    lines = [line for line in errors.__doc__.splitlines() if line.startswith("    ")]
    names = [line.replace("│", " ").replace("├", " ").replace("└", " ").replace("─", " ").split()[0] for line in lines]
    indents = [line.index(name) for line, name in zip(lines, names, strict=True)]
    assert names.count(kind.__name__) == 1
    if kind is not BothendsError:
        index = names.index(kind.__name__)
        above = next(at for at in range(index - 1, -1, -1) if indents[at] < indents[index])
        assert names[above] == kind.__base__.__name__  # type: ignore[union-attr]


def test_a_sentences_error_moves_with_its_index() -> None:
    """An error of a window is one of the caller's list once its index is moved; its kind and reason stay."""
    error = LongSentenceError(3, "is too long").at(4099)
    assert type(error) is LongSentenceError
    assert (error.index, error.reason, error.field) == (4099, "is too long", "sentences[4099]")
    assert str(error) == "sentences[4099] is too long"


@pytest.mark.parametrize("kind", [kind for kind in ERRORS if issubclass(kind, RequestError)])
def test_a_callers_mistake_counts_as_invalid(kind: type[BothendsError]) -> None:
    assert kind.refusal == "invalid"


def test_a_quota_counts_by_itself() -> None:
    """A share that is used up is an overload with a reason of its own."""
    error = QuotaError("enough", retry_after_s=2.5)
    assert isinstance(error, errors.OverloadedError)
    assert (error.refusal, error.retry_after_s) == ("quota", 2.5)

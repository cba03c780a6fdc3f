"""Finds the column that holds the sentences. It guesses only if there is one possible answer."""

from collections.abc import Sequence

from ...errors import SettingsError

_USUAL = ("text", "sentence")


def choose(given: str | None, texts: Sequence[str], every: Sequence[str], source: str) -> str:
    """Return `given`, or the only one of `texts`, or the only one of them with a usual name.

    `texts` are those of the columns `every` that hold text. Raises SettingsError, which lists them.
    """
    if given is not None:
        must_have(given, every, source)
        return given
    usual = [name for name in texts if name.lower() in _USUAL]
    for candidates in (texts, usual):
        if len(candidates) == 1:
            return candidates[0]
    raise SettingsError(f"{source}: which --column holds the sentences? There is {listed(every)}")


def must_have(name: str, every: Sequence[str], source: str) -> None:
    """Raise SettingsError unless there is exactly one column of that name."""
    if every.count(name) != 1:
        what = "no column" if name not in every else "more than one column"
        raise SettingsError(f"{source} has {what} {name!r}; there is {listed(every)}")


def listed(names: Sequence[str]) -> str:
    """Join names for people to read, cut to a bounded length."""
    shown = ", ".join(map(repr, names[:20]))
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown or "none"

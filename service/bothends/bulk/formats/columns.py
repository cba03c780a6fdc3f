"""Which column holds the sentences. Guesses only where one answer is possible."""

from collections.abc import Sequence

from ...errors import SettingsError

_USUAL = ("text", "sentence")


def choose(asked: str | None, texts: Sequence[str], every: Sequence[str], source: str) -> str:
    """`asked`, or the only one of `texts`, or the only one of them with a usual name.

    `texts` are the columns that hold text, among `every` one. Raises SettingsError, which lists them.
    """
    if asked is not None:
        must_have(asked, every, source)
        return asked
    usual = [name for name in texts if name.lower() in _USUAL]
    for candidates in (texts, usual):
        if len(candidates) == 1:
            return candidates[0]
    raise SettingsError(f"{source}: which --column holds the sentences? There is {listed(every)}")


def must_have(name: str, every: Sequence[str], source: str) -> None:
    """Raises SettingsError where there is no column of that name, or more than one."""
    if every.count(name) != 1:
        what = "no column" if name not in every else "more than one column"
        raise SettingsError(f"{source} has {what} {name!r}; there is {listed(every)}")


def listed(names: Sequence[str]) -> str:
    """Names for a person, not too many."""
    shown = ", ".join(map(repr, names[:20]))
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown or "none"

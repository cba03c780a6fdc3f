"""Parses a tokenizer's regular expression, and refuses one that could take exponential time. Nothing is matched.

A backtracking matcher takes exponential time where a repetition can read a text in more than one way, as in `(q+q+)+z`.
So what is repeated without bound must be a fixed sequence of single characters. Only the part of Oniguruma's syntax
that tokenizers use is supported; references, calls and conditions are refused.
"""

import re
from dataclasses import dataclass, replace
from typing import NamedTuple

_MANY = 64
"""Repetitions from which a bounded one counts as one without end."""
_CAP = 1 << 40

_INTERVAL = re.compile(r"\{(?:(\d{1,5})(?:(,)(\d{1,5})?)?|(),(\d{1,5}))\}")
_CHARACTER = re.compile(
    r"\\(?:[dDsSwWhHnrtfvae]|[pP]\{\^?[\w ]+\}|x[0-9a-fA-F]{2}|x\{[0-9a-fA-F]{1,6}\}|u[0-9a-fA-F]{4}|[^\w])"
    r"|\(\?m:\.\)|[^\\\[(){*+?|^$]",
    re.ASCII | re.DOTALL,
)
_ANCHOR = re.compile(r"[$^]|\\[bBAzZGKyY]")
_POSIX = re.compile(r"\[:\^?(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|xdigit|word):\]")
_GROUP = re.compile(r"\((?:\?(?:i?:|>|<?[=!]))?(?!\?|\*)")


class PatternError(ValueError):
    """Error for a pattern that isn't allowed. Its text says why, and is meant to follow the pattern."""


class Power(NamedTuple):
    """Bound on a cost: `factor` times the text's length to the power of `degree`."""

    factor: int
    degree: int = 0

    def plus(self, other: "Power") -> "Power":
        """Return a bound on the sum."""
        return Power(min(self.factor + other.factor, _CAP), max(self.degree, other.degree))

    def times(self, other: "Power") -> "Power":
        """Return a bound on the product."""
        return Power(min(self.factor * other.factor, _CAP), self.degree + other.degree)


ONE = Power(1)


@dataclass(frozen=True, slots=True)
class Part:
    """Upper bounds on the cost of a part of a pattern."""

    effort: Power
    """Upper bound on the attempts to match it from one position, until it matches or has failed in every way."""
    ways: Power = ONE
    """Upper bound on the ways in which it may match from one position; each is tried if what follows fails."""
    fixed: tuple[str, ...] | None = None
    """Patterns of its characters, in order, if it is a sequence of single characters and nothing else."""
    certain: bool = False
    """True if it matches at every position of every text, be it only the empty string."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Pattern that was parsed."""

    effort: Power
    characters: frozenset[str]
    """Patterns of the single characters in it."""
    runs: tuple[tuple[str, ...], ...]
    """Sequences that it repeats without end, as the patterns of each one's characters."""


def read(pattern: str) -> Pattern:
    """Parse `pattern`. Raises PatternError if it has parts that aren't allowed, or nested unbounded repetitions."""
    reader = _Reader(pattern)
    whole = reader.alternatives()
    if reader.index < len(pattern):
        raise PatternError("closes a group that isn't open")
    return Pattern(whole.effort, frozenset(reader.characters), tuple(dict.fromkeys(reader.runs)))


class _Reader:
    """Recursive-descent parser of one pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.index = 0
        self._ignores_case = False
        self.characters: set[str] = set()
        self.runs: list[tuple[str, ...]] = []

    def alternatives(self) -> Part:
        """Parse alternatives, up to the end of the pattern or the closing parenthesis."""
        found = self._sequence()
        while self._take_text("|"):
            other = self._sequence()
            found = Part(
                effort=found.effort.plus(other.effort),
                ways=found.ways.plus(other.ways),
                certain=found.certain or other.certain,
            )
        return found

    def _sequence(self) -> Part:
        items: list[Part] = []
        while self.index < len(self._pattern) and self._pattern[self.index] not in "|)":
            rest = self._take_text("(?i)")  # what follows is one group, its alternatives too
            items.append(self._group(ignores_case=True) if rest else self._repeated(self._item()))
        return _joined(items)

    def _item(self) -> Part:
        if self._pattern[self.index] == "[":
            return self._character(self._class())
        if found := self._matched(_GROUP):
            runs = len(self.runs)
            inner = self._group(ignores_case="i" in found)
            if not self._take_text(")"):
                raise PatternError("has a group that isn't closed")
            if found.endswith((">", "=", "!")):  # what was found in it is never sought again
                looks = found.endswith(("=", "!"))
                fixed = () if looks and len(self.runs) == runs else None  # takes no text, and no time that grows
                return Part(inner.effort.plus(ONE), fixed=fixed, certain=not looks and inner.certain)
            return inner
        if self._matched(_ANCHOR):
            return Part(ONE)
        if found := self._matched(_CHARACTER):
            return self._character(found)
        raise self._unexpected()

    def _unexpected(self) -> PatternError:
        return PatternError(f"has {self._pattern[self.index : self.index + 3]!r}, which isn't allowed there")

    def _group(self, *, ignores_case: bool) -> Part:
        outside = self._ignores_case
        self._ignores_case = outside or ignores_case
        found = self.alternatives()
        self._ignores_case = outside
        return found

    def _character(self, text: str) -> Part:
        """Return the part that is one character. Where case is ignored it may match several: "ss" is the German ß."""
        self.characters.add(text)
        if self._ignores_case:
            return Part(ONE, Power(3 if len(text) > 1 or not text.isascii() else 1))
        return Part(ONE, fixed=(text,))

    def _class(self) -> str:
        """Take a class of characters, and those within it."""
        start = self.index
        self.index += 2 if self._pattern.startswith("[^", start) else 1
        if self._pattern[self.index : self.index + 1] == "]":
            raise PatternError("has a class of no characters")
        while not self._take_text("]"):
            if self.index >= len(self._pattern):
                raise PatternError("has a class that isn't closed")
            if self._matched(_POSIX):
                continue
            if self._pattern.startswith("[:", self.index):
                raise PatternError("has a class that isn't known")
            if self._pattern[self.index] == "[":
                self._class()
            elif self._pattern[self.index] != "\\":
                self.index += 1
            elif not self._matched(_CHARACTER):
                raise self._unexpected()
        return self._pattern[start : self.index]

    def _repeated(self, part: Part) -> Part:
        """Parse the repetitions after `part`, each of which repeats the result of the one before it."""
        while self.index < len(self._pattern):
            sign = self._pattern[self.index]
            if sign in "*+?":
                self.index += 1
                min_times, max_times = int(sign == "+"), 1 if sign == "?" else None
                keeps = self._take_text("+")
                lazy = not keeps and self._take_text("?")
            elif found := self._matched(_INTERVAL):
                min_times, max_times = _interval(found)
                keeps, lazy = False, self._take_text("?")  # a plus after it is a repetition of its own
            else:
                break
            if lazy and min_times == max_times:
                min_times = 0  # as Oniguruma reads `{3}?`
            part = self._times(part, min_times, max_times, keeps=keeps)
        return part

    def _times(self, part: Part, min_times: int, max_times: int | None, *, keeps: bool) -> Part:
        """Return `part` repeated `min_times` to `max_times` times; what `keeps` gives nothing back."""
        endless = max_times is None or max_times - min_times >= _MANY
        if part.fixed is not None:
            if min_times == max_times and min_times * len(part.fixed) <= _MANY:
                return replace(part, effort=part.effort.times(Power(min_times)), fixed=part.fixed * min_times)
            if endless and part.fixed:
                self.runs.append(part.fixed)
            ways = Power(1, 1) if max_times is None or endless else Power(max_times - min_times + 1)
        elif max_times is None or max_times >= _MANY:
            raise PatternError("repeats without end a group that holds repetitions, alternatives or conditions itself")
        else:
            ways = Power(0)
            for times in range(min_times, max_times + 1):
                ways = ways.plus(_to_the(part.ways, times))
            attempts = part.effort.times(_to_the(part.ways, max(0, max_times - 1))).times(Power(max_times))
            part = replace(part, effort=attempts)
        effort = part.effort.times(Power(max(1, min_times)))
        return Part(effort, ONE if keeps else ways, certain=min_times == 0 or part.certain)

    def _take_text(self, text: str) -> bool:
        found = self._pattern.startswith(text, self.index)
        self.index += len(text) if found else 0
        return found

    def _matched(self, kind: re.Pattern[str]) -> str:
        found = kind.match(self._pattern, self.index)
        self.index = found.end() if found else self.index
        return found[0] if found else ""


def _joined(items: list[Part]) -> Part:
    """Return the sequence of `items`. Nothing is tried again after the last one that can fail."""
    last = max((index for index, item in enumerate(items) if not item.certain), default=-1)
    effort, ways = Power(0), ONE
    fixed: tuple[str, ...] | None = ()
    for index, item in enumerate(items):
        effort = effort.plus(item.effort.times(ways if index <= last else ONE))
        ways = ways.times(item.ways)
        fixed = None if fixed is None or item.fixed is None else fixed + item.fixed
    return Part(effort, ways, fixed, certain=last < 0)


def _interval(text: str) -> tuple[int, int | None]:
    min_times, comma, max_times = text[1:-1].partition(",")
    if not comma:
        return int(min_times), int(min_times)
    bounds = int(min_times or 0), int(max_times) if max_times else None
    return (bounds[1], bounds[0]) if bounds[1] is not None and bounds[1] < bounds[0] else bounds


def _to_the(power: Power, times: int) -> Power:
    made = ONE
    for _ in range(times):
        made = made.times(power)
    return made

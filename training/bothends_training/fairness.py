"""Says whether an altered sentence is a fair "other" of a triple: English, and something else than was said.

Rules of each kind, found by reading triples; what they don't see a reader drops by name. They are for choosing alone:
a student may be taught what is unfair here, since its teachers say what it means.
"""

import re
from dataclasses import dataclass

from .lexicon import words
from .names import NAME_KINDS


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two sentences: the words around it, before and after."""

    left: list[str]
    old: list[str]
    new: list[str]
    right: list[str]

    @property
    def before(self) -> str:
        """The word before the change, in lower case; empty at the start."""
        return self.left[-1].lower() if self.left else ""

    @property
    def after(self) -> str:
        """The word behind the change; empty at the end."""
        return self.right[0] if self.right else ""


def change(sentence: str, other: str) -> Change:
    """The one run of words that differs."""
    one, two = sentence.split(), other.split()
    start = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    stop = 0
    while stop < min(len(one), len(two)) - start and one[-1 - stop] == two[-1 - stop]:
        stop += 1
    return Change(one[:start], one[start : len(one) - stop], two[start : len(two) - stop], one[len(one) - stop :])


_MARKS = ".,?!:;\"'()$+%"
_MONTHS = frozenset(name for name, kind in NAME_KINDS.items() if kind == "month")
_TIME = re.compile(r"(\d{1,2})(?::(\d\d))?")
_YEAR = re.compile(r"(?:19|20)\d\d")
_LAST_YEAR = 2025


def is_fair_number(found: Change) -> bool:
    """Neither one nor none, where words would have to agree; no time, date or percentage that isn't one; no label."""
    old, new = (" ".join(each).strip(_MARKS).lower() for each in (found.old, found.new))
    if {"0", "1", "one"} & {old, new} or re.search(r"[/#]|[a-z]\d|\d[a-z]|p\.", " ".join(found.new)):
        return False
    is_first = not found.left or found.before.endswith((".", "!"))
    if is_first and (found.old[0][-1] in ".)" or found.after in {"-", ","}):
        return False
    if "%" in "".join(found.new) and float(new.replace(",", "") or 0) > 100:
        return False
    if _YEAR.fullmatch(new) and int(new) > _LAST_YEAR:
        return False
    if found.after.strip(_MARKS).capitalize() in _MONTHS or found.before.capitalize() in _MONTHS:
        return not new.isdigit() or _YEAR.fullmatch(new) is not None or int(new) <= 28
    is_hour = ":" in new or re.match(
        r"(?:am|pm|a\.m|p\.m|o'clock|in the (?:morning|afternoon|evening))", " ".join(found.right)
    )
    if is_hour or found.before in {"past", "at"}:
        told = _TIME.fullmatch(new)
        return told is None or (1 <= int(told[1]) <= 12 and int(told[2] or 0) < 60)
    return True


_AMBIGUOUS = frozenset(
    words("Hall Hill Green Brown Bush Mark Grace Saturn Mercury Georgia Virginia Toyota Honda Walker Clark Carter May")
)


_NO_LANGUAGES = frozenset(
    words("American Mexican Canadian Australian Egyptian Irish Scottish Brazilian African Indian British")
)


def is_fair_name(found: Change) -> bool:
    """A name that is nothing else too, alone, and another's."""
    old, new = (re.sub(r"\W", "", "".join(each).removesuffix("'s")) for each in (found.old, found.new))
    if {old, new} & _AMBIGUOUS or {old, new} <= {"British", "English", "American", "America", "England"}:
        return False
    if found.before in {"new", "north", "south", "central", "east", "west"}:
        return False
    if new in _NO_LANGUAGES and found.before in {"into", "speak", "speaks", "speaking", "taught", "my", "at", "learn"}:
        return False
    return found.after not in {"football", "Football", "'s", "Airlines", "russel", "Hall", "Street"}


_PRONOUNS = frozenset(words("i you he she it we they there this that these"))
_HAD = re.compile(r"\w+(?:ed|en)|been|had|got|made|gone|done|found|known|lost|left|become|won|met|told|heard|felt")


_NEVER = re.compile(r"\b(?:never|no|nothing|nobody|none|not|cannot|without)\b|n['’]t\b", re.IGNORECASE)
_ONLY_DENIED = re.compile(r"\b(?:any\w*|yet|either|at all|other than)\b", re.IGNORECASE)
_NOT_BEFORE = frozenset(words("almost therefore approximately several some only"))


def is_fair_denial(found: Change) -> bool:
    """A "not" behind an auxiliary verb of a statement, where English has it; or one less."""
    if not re.search(r"\bnot\b|n't\b", " ".join(found.new)):
        return found.before != "or" and not _ONLY_DENIED.search(" ".join(found.right))
    verb = (found.old or found.left or [""])[-1].lower()
    after = found.after.lower()
    if (
        not found.left
        or not verb.isalpha()
        or not after[:1].isalpha()
        or _NEVER.search(" ".join(found.left[:-1] + found.right))
    ):
        return False
    if verb in {"do", "does", "did"} or after in _PRONOUNS or after.strip(_MARKS) in _NOT_BEFORE:
        return False
    if verb in {"has", "have", "had"}:
        before = (found.left if found.old else found.left[:-1])[-1:]
        return _HAD.fullmatch(after) is not None and "".join(before).lower() not in {"should", "would", "could", "to"}
    return True


_UNFAIR_OPPOSITES = frozenset(
    frozenset(pair.split(":"))
    for pair in words(
        "many:few old:new old:young day:night life:death kind:cruel leave:arrive left:arrived come:go came:went "
        "back:front near:far began:ended end:begin with:without white:black right:wrong bad:good long:short "
        "hard:soft deep:shallow start:stop alive:dead first:last top:bottom king:queen cool:warm "
        "light:dark lost:gained open:closed closed:opened"
    )
)
_FAIR_HERE = frozenset(
    words("pause hair burst bursts trip flight walk voice microphone sound brown blue green red gray skin teeth")
)
"""Words before which long and short, hard and soft, or light and dark are opposites."""


def is_fair_opposite(found: Change) -> bool:
    """A word whose opposite fits where it stands."""
    old, new = (re.sub(r"[^\w]", "", "".join(each)).lower() for each in (found.old, found.new))
    after = found.after.lower().strip(_MARKS)
    if frozenset((old, new)) in _UNFAIR_OPPOSITES:
        return after in _FAIR_HERE
    if {old, new} == {"known", "unknown"}:
        return found.before not in {"have", "i've", "sometimes", "also"} and after not in {"to", "as"}
    if {old, new} == {"more", "less"}:
        return found.before not in {"no", "any", "one", "and", "once", "some"} and after not in {"", "and", "nor"}
    if {old, new} == {"high", "low"}:
        return not found.after[:1].isupper()
    if f"{found.before} {old}" in {"a few", "as possible", "out loud"} or f"{old} {after}" in _TOGETHER:
        return False
    return new not in (*_beside_and(found.left[::-1]), *_beside_and(found.right))


_TOGETHER = frozenset(("full sized", "hot dogs", "common sense", "fell silent", "pull it", "after market", "win you"))
"""Words that mean something else together than apart."""


def _beside_and(near: list[str]) -> list[str]:
    """The nearest words, if an "and" joins them: "a man and a man" is no fair "a man and a woman"."""
    joined = [word.lower().strip(_MARKS) for word in near[:3]]
    return joined if "and" in joined else []


FAIR = {
    "numbers": is_fair_number,
    "entities": is_fair_name,
    "negation": is_fair_denial,
    "antonyms": is_fair_opposite,
}
"""Whether the change is fair, by kind."""

"""Names the sentences of which a model can read too little for their cosines to mean anything; the web page does so
too.

In such a sentence, half of the tokens or more are unknown to the model, or half of the letters or more belong to
scripts in which none of its languages is written.
"""

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..model.tokenizer import Pieces

_MOSTLY = 0.5
_SCRIPTS = {
    "LATIN": "en de fr es it pt nl sv da nb nn no fi is pl cs sk sl hr ro hu tr et lv lt ca gl eu ga cy id ms vi sw af",
    "CYRILLIC": "ru uk bg mk be",
    "GREEK": "el",
    "HEBREW": "he yi",
    "ARABIC": "ar fa ur",
    "DEVANAGARI": "hi mr ne",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "THAI": "th",
    "HANGUL": "ko",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "CJK": "zh ja ko",
}
"""Languages that a script is used for, by the word that its letters' names in Unicode begin with."""
_NAMES = {"en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese"}


def unread(sentences: Sequence[str], read: "Sequence[Pieces]", languages: Sequence[str]) -> str:
    """Return one line that lists the sentences, by index, that the model can't read; "" if there are none.

    `read` are their tokens, `languages` the BCP 47 tags of the model's training languages.
    """
    scripts = _scripts(languages)
    blind = [
        str(index)
        for index, (sentence, pieces) in enumerate(zip(sentences, read, strict=True))
        if sum(pieces.unknown) >= _MOSTLY * len(pieces.ids) or _foreign(sentence, scripts) >= _MOSTLY
    ]
    if not blind:
        return ""
    reads = f", which reads {' and '.join(_NAMES.get(tag, tag) for tag in languages)}" if languages else ""
    if len(blind) == 1:
        return f"Most of sentence {blind[0]} is unknown to the model{reads}: cosines of it tell nothing."
    these = f"{', '.join(blind[:-1])} and {blind[-1]}"
    return f"Most of sentences {these} is unknown to the model{reads}: cosines of them tell nothing."


def _scripts(languages: Sequence[str]) -> set[str]:
    """Return the scripts of all of `languages`; an empty set if they aren't given, or one is unknown."""
    wanted = {tag.partition("-")[0] for tag in languages}
    used = {script: set(tags.split()) for script, tags in _SCRIPTS.items()}
    if not wanted <= set().union(*used.values()):
        return set()
    return {script for script, tags in used.items() if tags & wanted}


def _foreign(sentence: str, scripts: set[str]) -> float:
    """Return the share of letters that belong to none of `scripts`; 0 if there are no letters or no scripts."""
    letters = [character for character in sentence if character.isalpha()] if scripts else []
    strangers = [letter for letter in letters if unicodedata.name(letter, "").partition(" ")[0] not in scripts]
    return len(strangers) / max(1, len(letters))

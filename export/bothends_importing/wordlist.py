"""Collects the words of a file of sentences, for a vocabulary."""

from collections.abc import Callable, Iterable
from pathlib import Path

import tokenizers

from .source import SourceError
from .tokenising.word_rules import WordRules
from .tokenising.words import tokenise_words


def words_of(file: Path, split: Callable[[str], Iterable[str]] = str.split) -> set[str]:
    """Return the words into which `split` cuts the lines of `file`, UTF-8. Raises SourceError naming the line.

    A file with one word a line works too.
    """
    words: set[str] = set()
    number = 0
    try:
        with file.open("rb") as lines:
            for line in lines:
                number += 1
                words.update(split(line.decode().strip()))
    except OSError as error:
        raise SourceError(f"{file} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{file}, line {number}: no UTF-8 text ({error.reason} at byte {error.start})") from error
    if not words:
        raise SourceError(f"{file} holds no words")
    return words


def splitter(rules: WordRules) -> Callable[[str], list[str]]:
    """Return a function that cuts a text into words by these rules, independent of a vocabulary."""
    any_word = WordRules(rules.split, rules.lowercase, unknown="-")
    made = tokenizers.Tokenizer.from_str(tokenise_words({"-": 0}, any_word, rows=1).definition)

    def split(text: str) -> list[str]:
        normalised = made.normalizer.normalize_str(text) if made.normalizer else text
        return [word for word, _ in made.pre_tokenizer.pre_tokenize_str(normalised)]

    return split

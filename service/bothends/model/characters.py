"""Asks the Hugging Face library what a tokenizer makes of each character, for the native tokenizer.

So neither has tables of Unicode that the other could differ from, whatever the library's version.
"""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import tokenizers
from tokenizers import AddedToken, models, normalizers, pre_tokenizers

from ..text import is_blank

Part = tuple[int, str]
"""The rank of a combining class among all, 0 for a character that ends a run of marks, and what is written."""
Becomes = str | tuple[Part, ...] | None
"""What becomes of a character, where a space ends a word: a text that ends a run of marks; parts that are put into
canonical order with those of its neighbours; or None for one that is left to the library."""

BLOCK = 256
"""Characters that are asked at once."""
_LETTERS = ("\u16a0", "\u0e01")
"""Two that stay as they are, and that nothing else becomes: one of them stands between characters that are asked."""
_LAST, _FIRST = "\u0345", "\u0334"
"""Marks of the last and the first combining class: what may stand between the two in this order is no mark."""
_DECOMPOSED = normalizers.NFD()


class Characters:
    """What becomes of characters by a tokenizer whose steps see one at a time, but for Unicode's canonical order."""

    def __init__(
        self,
        normalizer: normalizers.Normalizer | None,
        pre_tokenizer: pre_tokenizers.PreTokenizer,
        *,
        bert: dict[str, Any] | None = None,
        unsure: str = "",
        are_touched: bool = False,
    ) -> None:
        """Ask these two; with `are_touched` also which characters are a word's, as added tokens see it.

        `bert` has the options of a BERT's normaliser, if `normalizer` is one. Characters of `unsure` are left to the
        library.
        """
        self._normalizer, self._pre_tokenizer = normalizer, pre_tokenizer
        self._unsure, self._are_touched = unsure, are_touched
        self._before: normalizers.Normalizer | None = None
        """The steps before a text is decomposed, which BERT's normaliser does to strip accents; None if it doesn't."""
        if bert and (bert["lowercase"] if bert["strip_accents"] is None else bert["strip_accents"]):
            self._before = normalizers.BertNormalizer(
                bert["clean_text"], bert["handle_chinese_chars"], strip_accents=False, lowercase=False
            )

    def block(self, first: int) -> list[tuple[Becomes, bool]]:
        """Return what becomes of the `BLOCK` characters from `first`, and whether each is a word's.

        Those that Python takes for spaces and that make words here are left to the library: native code takes a text
        without a token for a blank one.
        """
        characters = [chr(code) for code in range(first, first + BLOCK)]
        written = self._written(characters)
        found: list[Becomes] = [
            None if character in self._unsure or (is_blank(character) and text.strip(" ")) else text
            for character, text in zip(characters, written, strict=True)
        ]
        if self._before is not None:
            for index, parts in self._in_order(characters, self._before):
                found[index] = parts
        words = _are_words(characters) if self._are_touched else [False] * BLOCK
        return list(zip(found, words, strict=True))

    def _written(self, texts: Sequence[str]) -> list[str]:
        return _each(self._split, texts)

    def _split(self, text: str) -> str:
        normal = text if self._normalizer is None else self._normalizer.normalize_str(text)
        return " ".join(word for word, _ in self._pre_tokenizer.pre_tokenize_str(normal))

    def _in_order(
        self, characters: Sequence[str], before: normalizers.Normalizer
    ) -> Iterator[tuple[int, tuple[Part, ...]]]:
        """Yield the index and the parts of each character of which some are marks: all of them, or one that stays.

        Those that vanish between marks, as controls do, have no parts.
        """
        decomposed = _each(_DECOMPOSED.normalize_str, _each(before.normalize_str, characters))
        every = sorted(set("".join(decomposed)))
        marks = {
            part
            for part, around in zip(every, _each(_DECOMPOSED.normalize_str, map(_between, every)), strict=True)
            if around != _between(part)
        }
        kept = {mark: text for mark, text in zip(marks, self._written([*marks]), strict=True) if text}
        for index, parts in enumerate(decomposed):
            if marks.issuperset(parts) or not kept.keys().isdisjoint(parts):
                yield index, tuple(self._part(part, kept) for part in parts if part in kept or part not in marks)

    def _part(self, part: str, kept: dict[str, str]) -> Part:
        return (_rank(part), kept[part]) if part in kept else (0, self._written([part])[0])


def _each(make: Callable[[str], str], texts: Iterable[str]) -> list[str]:
    """Return what `make` makes of each text, by one call, with a letter before and behind each."""
    texts = list(texts)
    letter = _letter_beside("".join(texts))
    return make("".join(f"{letter}{text}" for text in texts) + letter).split(letter)[1:-1]


def _letter_beside(text: str) -> str:
    return next(letter for letter in _LETTERS if letter not in text)


def _between(part: str) -> str:
    return f"{_LAST}{part}{_FIRST}"


def _rank(mark: str) -> int:
    """Return one more than the number of combining classes that come before this mark's."""
    pairs = [mark + other for other in _one_of_each_class()]
    return 1 + sum(found != pair for found, pair in zip(_each(_DECOMPOSED.normalize_str, pairs), pairs, strict=True))


@cache
def _one_of_each_class() -> tuple[str, ...]:
    """Marks, one of each combining class but 0: the first of it, which every version of Unicode has.

    No mark's class ever changes, and no class was new for many years.
    """
    marks = map(chr, (0x1D16D, 0x16FF0, *reversed(range(0x0300, 0x3100))))
    found = {unicodedata.combining(mark): mark for mark in marks if not unicodedata.decomposition(mark)}
    return tuple(mark for number, mark in found.items() if number)


def _are_words(characters: Sequence[str]) -> list[bool]:
    r"""Return whether each character is a word's, `\w` of the library: an added token for single words isn't found
    behind it.
    """
    letter = _letter_beside("".join(characters))
    probe = tokenizers.Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))  # noqa: S106  a token of text
    probe.add_tokens([AddedToken(letter, single_word=True, normalized=False)])
    found = probe.encode("".join(f"{character}{letter} " for character in characters))
    starts = {start for token, (start, _) in zip(found.ids, found.offsets, strict=True) if token}
    return [3 * index + 1 not in starts for index in range(len(characters))]

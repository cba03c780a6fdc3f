"""Reads dictionaries in dictd's format: an index of headwords, and one gzip file of their entries."""

import gzip
import re
import string
from collections.abc import Iterator
from pathlib import Path

_DIGITS = {
    letter: value for value, letter in enumerate(string.ascii_uppercase + string.ascii_lowercase + "0123456789+/")
}
_LABELS = re.compile(
    r"\[(?:1913 Webster|PJC|Webster 1913 Suppl\.|WordNet [0-9.]+|[A-Z0-9. ]{2,20})\]|<[^>]{0,40}>|\{|\}"
)
_SPEECH = re.compile(r"\\[^\\]{1,60}\\,?|\[[^\]]{0,160}\]|^\s*(?:<[a-z, ]+>)+")
_SPACE = re.compile(r"\s+")


def entries(stem: Path) -> Iterator[tuple[str, str]]:
    """Yield each headword of the dictionary `stem`.index and `stem`.dict.dz, and its whole entry as one line of
    prose.
    """
    text = gzip.decompress(stem.with_suffix(".dict.dz").read_bytes())
    seen: set[int] = set()
    for line in stem.with_suffix(".index").read_text(encoding="utf-8").splitlines():
        headword, start, length = line.split("\t")[:3]
        first = _number(start)
        if headword.startswith("00") or first in seen:
            continue
        seen.add(first)
        entry = text[first : first + _number(length)].decode("utf-8", errors="replace")
        yield headword, _prose(entry)


def _number(digits: str) -> int:
    value = 0
    for digit in digits:
        value = 64 * value + _DIGITS[digit]
    return value


def _prose(entry: str) -> str:
    """Return the entry without its first line, pronunciation, etymology and the dictionary's markup."""
    _, _, body = entry.partition("\n")
    return _SPACE.sub(" ", _LABELS.sub("", _SPEECH.sub(" ", body))).strip()

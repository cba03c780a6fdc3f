"""Reads the prose of an HTML or Mallard page: paragraphs with the heading above them."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

_HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "dt"))
_MALLARD_HEADING = "title"
_BLOCKS = frozenset(("p", "li", "dd", "div", "section", "article", "blockquote", "ul", "ol", "dl", "item", "note"))
_SKIPPED = frozenset(("script", "style", "nav", "pre", "table", "footer", "header", "head", "form", "button", "code"))
_NOT_PROSE = _SKIPPED - {"code"}
_MARKS = re.compile(r"[¶§#]+\s*$|^\s*(?:Chapter |Appendix )?(?:[0-9A-Z]{1,3}\.)+[0-9]*\s+")
_SPACE = re.compile(r"\s+")


def sections(page: str, *, mallard: bool = False) -> Iterator[tuple[str, list[str]]]:
    """Yield each heading of the page and the paragraphs under it, in order, without those under lower headings.

    Tables, code blocks and navigation are left out.
    """
    reader = _Reader(frozenset((_MALLARD_HEADING,)) if mallard else _HEADINGS, set() if mallard else set(_NOT_PROSE))
    reader.feed(page)
    reader.close()
    reader.end_block()
    yield from ((title, paragraphs) for title, paragraphs in reader.found if paragraphs)


class _Reader(HTMLParser):
    """Gathers text into blocks, and blocks under headings."""

    def __init__(self, headings: frozenset[str], skipped: set[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._headings, self._skipped = headings, skipped
        self._inside = 0
        self._text: list[str] = []
        self._heading: list[str] | None = None
        self.found: list[tuple[str, list[str]]] = [("", [])]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        """End the current block, since another starts."""
        if tag in self._skipped:
            self.end_block()
            self._inside += 1
        elif tag in self._headings:
            self.end_block()
            self._heading = []
        elif tag in _BLOCKS:
            self.end_block()

    def handle_endtag(self, tag: str) -> None:
        """End a block, a heading, or a skipped element."""
        if tag in self._skipped:
            self._inside = max(0, self._inside - 1)
        elif tag in self._headings and self._heading is not None:
            self.found.append((_MARKS.sub("", _plain("".join(self._heading))).strip(), []))
            self._heading = None
        elif tag in _BLOCKS:
            self.end_block()

    def handle_data(self, data: str) -> None:
        """Add text to the current heading or block."""
        if self._inside:
            return
        (self._text if self._heading is None else self._heading).append(data)

    def end_block(self) -> None:
        """Store the collected text under the last heading."""
        if text := _plain("".join(self._text)):
            self.found[-1][1].append(text)
        self._text = []


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip()

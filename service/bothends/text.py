"""Checks that texts can be embedded and are valid Unicode, and makes texts safe to print on a terminal."""

import shlex


def is_blank(text: str) -> bool:
    """Return True if `text` is empty or consists of spaces, so that no tokenizer finds a token in it.

    Spaces are Python's: Unicode's White_Space, and the four separators U+001C to U+001F.
    """
    return not text or text.isspace()


def unicode_problem(text: str) -> str | None:
    """Return why `text` isn't valid Unicode, to follow its name in an error; None if it is valid.

    A lone surrogate, which JSON's escapes can express, has no UTF-8.
    """
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"is no valid Unicode: {error.reason} at character {error.start}"
    return None


def printable(untrusted: object) -> str:
    """Return the text of `untrusted` for one line of a log or a terminal, without control characters and of bounded
    length.
    """
    text = f"{untrusted!s:.300}"
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def shell_word(path: object) -> str:
    """Return a path as it stands in a command that people copy to a shell: in quotes where it has spaces."""
    text = str(path)
    return shlex.quote(text if text.isprintable() else printable(text))

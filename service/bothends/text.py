"""Texts to what is wrong with them as Unicode. Knows no sentence's place and no front."""


def unicode_problem(text: str) -> str | None:
    """Return why `text` isn't valid Unicode, to follow its name in a sentence; None where it is.

    Half a surrogate pair, which JSON's escapes can spell, has no UTF-8.
    """
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"is no valid Unicode: {error.reason} at character {error.start}"
    return None

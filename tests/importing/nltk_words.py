"""NLTK's words, for tests to compare with: NLTK is imported as it is used, since that takes more than a second."""


def nltk_words(text: str) -> list[str]:
    """Split a text of one sentence."""
    from nltk.tokenize import NLTKWordTokenizer

    found: list[str] = NLTKWordTokenizer().tokenize(text)
    return found

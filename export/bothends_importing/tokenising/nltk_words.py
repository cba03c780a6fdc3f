r"""NLTK's `NLTKWordTokenizer` (its Treebank rules) as normalisers of a tokenizer.json that put spaces between words.

NLTK's `word_tokenize` first splits a text into sentences, by Punkt's statistics, and applies its rules to each
sentence; here they see the whole text. For a text of one sentence that is the same. Punkt's tables of abbreviations and
of words that start sentences can't be expressed here. Measured with a Punkt trained on 80,000 lines of real text: of
20,000 other lines, 6.6 % get other words (1 word in 100), all of them among the 1,958 lines that hold several
sentences.

The rules are those of NLTK 3.10's `nltk/tokenize/destructive.py`. Where a rule there rewrites `\1 \2`, the one here
inserts a space at an empty match, by looking behind and ahead. Where NLTK's patterns consume the characters that they
look at, and so miss every other one, these do too. Older releases of NLTK compile the same rules with `re`, whose `\w`
knows no combining marks: they differ in a quote before or after one.
"""

from .definition import SPACE, WORD, Step, literal, replace

NOTES = (
    "NLTK's word_tokenize splits a text into sentences first (Punkt); here each text is one sentence. In a text of"
    " several, the period of each but the last stays with its word ('end.' and not 'end', '.').",
)
"""Notes of what differs from the original's `word_tokenize`."""

_NLTK_WORD = r"[\w\x{200C}\x{200D}]"  # `\w` of the `regex` package, which NLTK's patterns but the contractions use
_CLOSING = r"[\])}>\"'»”’ ]*+"
_S, _I = "[sSſ]", "[iIİı]"  # what `(?i)` makes of s and i


def _spaced(characters: str) -> Step:
    """Return the step that puts a space before and after each character of a class."""
    return replace(f"(?={characters})|(?<={characters})", " ")


def _starting_quotes() -> list[Step]:
    suffixes = f"(?:[rR][eE]|[vV][eE]|[lL][lL]|[mMtTdDnN]|{_S})(?!{_NLTK_WORD})"
    return [
        replace(r"(?=[«“‘„])|(?<=[«“‘„])|(?<!`)(?=`)|(?<=`)(?!`)", " "),
        replace(r'\A"', "``"),
        literal("``", " `` "),
        replace(r"""(?<=[ (\[{<])(?:"|'')""", " `` "),
        replace(rf"(?<!{_NLTK_WORD})'\K(?!{suffixes})(?={_NLTK_WORD})", " "),
    ]


def _colons_and_commas() -> list[Step]:
    r"""Return the step for `([:,])([^\d])`, which consumes two characters: in a run of them, an odd last one
    matters.
    """
    return [
        replace(r"(?<![:,])(?:[:,]{2})*+[:,]\K(?=[^\d:,])", " "),
        replace(r"(?<![:,])(?:[:,]{2})*?[:,]\K(?=[:,](?:\d|\z))", " "),
        replace(r"(?=[:,][^\d])", " "),
        replace(r"(?=[:,]\n?\z)|(?<=[:,])(?=\n?\z)", " "),
    ]


def _punctuation() -> list[Step]:
    return [
        replace(rf"(?<=[^.])(?=\.{_CLOSING}\s*+\z)|(?<=[^.]\.)(?={_CLOSING}\s*+\z)", " "),
        *_colons_and_commas(),
        replace(r"(?<!\.)(?=\.\.)|(?<=\.\.)(?!\.)", " "),
        _spaced(r"[;@#$%&\x{2012}-\x{2015}?!]"),
        replace(r"(?<=[^'])(?=' )", " "),
        _spaced(r"[*\[\](){}<>]"),
        literal("--", " -- "),
        replace(r"\A|\z", " "),
    ]


def _ending_quotes() -> list[Step]:
    return [
        _spaced("[»”’]"),
        literal("''", " '' "),
        literal('"', " '' "),
        replace(r"\s+", " "),
        replace(r"(?<=[^' ])(?='[sSmMdD]? )", " "),
        replace(r"(?<=[^' ])(?=(?:'ll|'LL|'re|'RE|'ve|'VE|n't|N'T) )", " "),
    ]


def _contractions() -> list[Step]:
    start, end = f"(?<!{WORD})", f"(?!{WORD})"
    halves = [
        ("[cC][aA][nN]", "[nN][oO][tT]"),
        ("[dD]", "'[yY][eE]"),
        (f"[gG]{_I}[mM]", "[mM][eE]"),
        ("[gG][oO][nN]", "[nN][aA]"),
        ("[gG][oO][tT]", "[tT][aA]"),
        ("[lL][eE][mM]", "[mM][eE]"),
        ("[mM][oO][rR][eE]", "'[nN]"),
    ]
    wan, na = "[wW][aA][nN]", f"[nN][aA](?={SPACE})"
    whole = "|".join([*(f"{a}{b}{end}" for a, b in halves), wan + na])
    between = "|".join([*(rf"{a}\K(?={b}{end})" for a, b in halves), rf"{wan}\K(?={na})"])
    steps = [replace(f"{start}{pattern}", " ") for pattern in (rf"(?:{whole})\K", f"(?={whole})", f"(?:{between})")]
    tis_and_twas = (f"{_I}{_S}", f"[wW][aA]{_S}")
    steps += [replace(f"(?<= '[tT])(?={is_}{end})|(?<= '[tT]{is_}){end}", " ") for is_ in tis_and_twas]
    return steps


def steps() -> list[Step]:
    """Return normalisers after which splitting at white space gives the words of `NLTKWordTokenizer().tokenize`."""
    return [*_starting_quotes(), *_punctuation(), *_ending_quotes(), *_contractions()]


def moses_steps() -> list[Step]:
    """Return NLTK's steps, then InferSent 2's change: `" ".join(words).replace(" n't ", "n 't ").split()`."""
    return [
        *steps(),
        replace(f"{SPACE}+", " "),
        replace(r"\A | \z", ""),
        literal(" n't ", "n 't "),
    ]

"""Says a sentence in other words by rules: contractions, synonyms, requests put otherwise, a time or place moved to the
front. What is meant stays, and so no student is taught by it: its results are for choosing.
"""

import itertools
import random
import re

from .lexicon import FUNCTION_WORDS, article, words
from .names import NAME_KINDS

_NO_TAG = r"(?! (?:i|you|he|she|it|we|they|that|this|there)\b)"
"""No pronoun follows, as in "isn't it"."""
_SYNONYMS = words(
    "buy:purchase bought:purchased big:large movie:film movies:films car:automobile child:kid children:kids "
    "quickly:rapidly often:frequently phone:telephone photo:picture photos:pictures doctor:physician trip:journey "
    "almost:nearly choose:pick built:constructed mistake:error mistakes:errors famous:well-known "
    "smart:clever scared:afraid funny:amusing beautiful:lovely attempted:tried remained:stayed "
    "huge:enormous speaking:talking talking:speaking strange:odd sometimes:occasionally "
    "usually:normally again:once-more everybody:everyone everyone:everybody anybody:anyone nobody:no-one "
    "while:whilst however:nevertheless therefore:thus film:movie restaurant:eatery restaurants:eateries "
    "cheap:inexpensive nice:pleasant discovered:found began:started begins:starts "
    "currently:presently attempt:try remain:stay forest:woods ship:vessel founded:established established:founded "
    "several:a-few correct:right sick:ill build:construct stops:halts happened:occurred "
    "woods:forest error:mistake dad:father mom:mother dad's:father's mum:mother bike:bicycle plane:airplane "
    "kids:children garbage:trash couch:sofa automobile:car taxi:cab cab:taxi physician:doctor attorney:lawyer "
    "lawyer:attorney hates:detests wonderful:marvelous terrible:awful awful:terrible stupid:foolish clever:smart "
    "gorgeous:beautiful exam:test salary:pay employee:worker students:pupils pupil:student teacher:instructor "
    "rapidly:quickly immediately:at-once frequently:often rarely:seldom seldom:rarely formerly:previously "
    "approximately:about inform:tell assistance:help regarding:about man:guy perhaps:maybe presently:currently "
    "songs:tunes kid:child somebody:someone album:record really:truly store:shop someone:somebody maybe:perhaps "
    "originally:initially primarily:mainly especially:particularly although:though eventually:in-the-end "
    "difficult:hard wealthy:rich rich:wealthy tired:weary constructed:built happy:glad allows:permits allow:permit"
)
SYNONYMS = {one: other.replace("-", " ") for one, other in (pair.split(":") for pair in _SYNONYMS)}
_FIXED = re.compile(
    r"\w+(?:-\w+)+|\bborn - again|\bover again|\ba while\b|\bbig (?:deal|trouble|plans?|bird|fan|time|outward)"
    r"|\b(?:sick days?|straight man|race car|round trip|buy into|man made|(?:his|her|my) man|non speaking)\b"
    r"|\b(?i:speaking|talking) (?=[A-Z])|\bhad been established|\bhappy (?:birthday|new|hour)|\b(?:the|a) try\b"
    r"|\brich in\b|\bin the store\b|\bmaybe not\b",
)
"""Words that say something else together than apart; none of them is exchanged."""
_PATTERNS = tuple(
    (re.compile(rf"(?<![\w'’]){found}(?![\w'’])", re.IGNORECASE), text)
    for found, text in (
        ("(?<!how )can you(?! please)(?!.*please)", "could you please"), ("can you please", "could you please"),
        ("could you please", "can you please"), ("(?<!how )could you(?! please)(?!.*please)", "can you please"),
        ("i want to", "I would like to"), ("i would like to", "I want to"), ("i'd like to", "I want to"),
        ("i would like(?! to)", "I want"), ("i'd like(?! to)", "I would like"), ("i need to", "I have to"),
        ("what is", "what's"), ("what's", "what is"), ("it's(?! (?:been|got))", "it is"), ("i'm", "I am"),
        ("i've", "I have"), ("i'll", "I will"), ("that's(?! (?:been|got))", "that is"),
        ("there's(?! been)", "there is"), (f"don't{_NO_TAG}", "do not"), (f"doesn't{_NO_TAG}", "does not"),
        (f"didn't{_NO_TAG}", "did not"), (f"isn't{_NO_TAG}", "is not"), (f"can't{_NO_TAG}", "cannot"),
        (f"won't{_NO_TAG}", "will not"), (f"wasn't{_NO_TAG}", "was not"), (f"couldn't{_NO_TAG}", "could not"),
        ("you're", "you are"), ("they're", "they are"), ("we're", "we are"), ("how do i", "how can I"),
        ("how can i", "how do I"), ("how many", "what number of"), (r"how much(?= (?:is|are) .*\bworth\b)", "what"),
        ("tell me(?! about)", "let me know"), ("a lot of", "lots of"),
        ("(?:is|are) going to(?= (?-i:(?!the |a |my )[a-z]))", "will"),
        ("has to", "must"), ("^we have to", "we must"), ("^you have to", "you must"), ("^i have to", "I must"),
        ("in order to", "to"), ("is able to", "can"), ("such as", "like"),
        ("as well as(?! (?:i|he|she|it|we|they) )", "and also"),
        ("at this time", "now"), ("right now", "at the moment"),
        (r"due to(?! (?:be|have|begin|start|open|arrive|leave|return)\b)", "because of"),
        ("because of", "owing to"), ("because(?! of| *$)", "since"), ("do you know", "can you tell me"),
        ("do you have any idea", "do you know"), ("thank you", "thanks"), ("^i think", "in my opinion"),
        ("i believe(?! that to| in)", "I think"), ("not enough", "not sufficient"),
        ("is enough", "is sufficient"), ("be enough", "be sufficient"),
        ("than enough", "than sufficient"),
        ("(?<!have )(?<!has )(?<!had )located", "situated"), ("(?<=is )called", "named"), ("(?<=was )called", "named"),
        ("returned to", "came back to"), ("for example", "for instance"), ("died in", "passed away in"),
        (r"more than(?= \d)", "over"), ("known as", "called"), ("next to", "beside"), ("wants to", "would like to"),
    )
)  # fmt: skip
_TAIL = re.compile(
    r"^(?P<head>[A-Z][^,;:?!]{12,}?) (?P<tail>(?:in|on|at|during|after|before|since|until|near) "
    r"(?!least|purpose|all\b|once|a true)"
    r"(?:the |a |an |his |her |last |next |late |early )?\w[\w -]{1,24})(?P<end>\.?)$"
)
_CLAUSE = re.compile(r"\b(?:while|whilst|as|then|followed|and|or|but|because|that|which|who|if|when|than)\b")
_FRONT = frozenset(
    words("The A An He She They It We There His Her Their This These Those My Our Your You In Some Many")
)


def rephrase(sentence: str, chance: random.Random) -> tuple[str, int]:
    """The sentence in other words, and how many of them were changed: up to seven of its words and phrases, and a
    time or place moved to its front.
    """
    sentence, phrases = _exchange_phrases(sentence)
    sentence, single = _exchange_words(sentence, chance)
    if (found := _TAIL.match(sentence)) and found["head"].split()[0] in _FRONT and not _CLAUSE.search(sentence):
        head = found["head"]
        moved = f"{found['tail'][0].upper()}{found['tail'][1:]}, {head[0].lower()}{head[1:]}{found['end']}"
        return moved, phrases + single + 1
    return sentence, phrases + single


def _exchange_phrases(sentence: str) -> tuple[str, int]:
    """The sentence with up to two of its phrases put otherwise, and how many they are."""
    taken: list[tuple[int, int, str]] = []
    for pattern, text in _PATTERNS:
        if len(taken) < 2 and (found := pattern.search(sentence)):
            start, stop = found.span()
            if all(stop <= one or other <= start for one, other, _ in taken):
                taken.append((start, stop, text))
    for start, stop, text in sorted(taken, reverse=True):
        sentence = sentence[:start] + _like(text, sentence[start:stop]) + sentence[stop:]
    return sentence, len(taken)


def _exchange_words(sentence: str, chance: random.Random) -> tuple[str, int]:
    """The sentence with up to five of its words exchanged for synonyms, articles in agreement, and how many."""
    fixed = {at for found in _FIXED.finditer(sentence) for at in range(*found.span())}
    parts = re.split(r"(\W+)", sentence)
    starts = [0, *itertools.accumulate(map(len, parts))]
    # A capital within a sentence begins a name, such as "the Big Ten".
    places = [
        n
        for n, part in enumerate(parts)
        if part.lower() in SYNONYMS and starts[n] not in fixed and (n == 0 or part.islower())
    ]
    taken = chance.sample(places, min(5, len(places)))
    for place in taken:
        parts[place] = _like(SYNONYMS[parts[place].lower()], parts[place])
        if place > 1 and parts[place - 1] == " " and parts[place - 2].lower() in {"a", "an"}:
            parts[place - 2] = _like(article(parts[place]), parts[place - 2])
    return "".join(parts), len(taken)


def introduce(sentence: str, chance: random.Random) -> str:
    """The sentence behind a few words that add nothing to it, others for a request or question than for a statement.

    Before what isn't plainly a whole statement, such as a caption or an order, stand only words that need none.
    """
    first = sentence.split()[0].lower()
    is_statement = first in _SUBJECTS and _FINITE.search(sentence)
    before = _BEFORE_STATEMENTS if is_statement else _BEFORE_ANYTHING
    head = chance.choice(_BEFORE_QUESTIONS if asks(sentence) else before)
    is_common = first.strip(",") in FUNCTION_WORDS | _ASKING | _OPENERS and first != "i"
    return f"{head} {sentence[0].lower() if is_common else sentence[0]}{sentence[1:]}"


def asks(sentence: str) -> bool:
    """Return whether the sentence is a question or a request, by its mark or its first word."""
    first, _, rest = sentence.lower().partition(" ")
    is_order = (first == "do" and rest.startswith("not ")) or first in {"don't", "didn't", "doesn't"}
    return sentence.rstrip().endswith("?") or (first.partition("'")[0] in _ASKING and not is_order)


_BEFORE_ANYTHING = ("To be clear,", "Just so you know,", "Let me say this:")
_BEFORE_STATEMENTS = (
    *_BEFORE_ANYTHING,
    "It turns out that",
    "As a matter of fact,",
    "I can tell you that",
    "It is a fact that",
)
_SUBJECTS = frozenset(
    words(
        "i i'm i've i'll he she it we they you this that these there his her their my our your the a an some many all"
    )
    + tuple(name.lower() for name in NAME_KINDS)
)
_FINITE = re.compile(
    r"\b(?:am|is|are|was|were|has|have|had|will|would|can|could|should|must|may|might|do|does|did)\b|n['’]t\b|['’](?:m|ll)\b"
    r"|^(?:I|He|She|It|We|They|You|i|he|she|it|we|they|you) "
)
_OPENERS = frozenset(
    words(
        "nevertheless however therefore thus owing because furthermore additionally since despite although though "
        "according maybe perhaps occasionally sometimes several almost nearly everyone everybody somebody someone "
        "people wind water birds music small large noisy loud various surely typing clicking although rain metal "
        "thanks using confirming booking cannot money"
    )
)
"""Other words that a sentence may begin with and that are written small."""
_BEFORE_QUESTIONS = (
    "Quick question:",
    "One more thing,",
    "Please help me with this:",
    "Here is what I am asking:",
    "Just one thing,",
)
_ASKING = frozenset(
    words(
        "can could would will does do did is are what where when who why how which please find book show tell get give "
        "set"
    )
)


def _like(text: str, model: str) -> str:
    """The text with a capital where `model` has one, and without where it has none, but for I."""
    if model[:1].isupper():
        return text[0].upper() + text[1:]
    return text if text.startswith("I ") else text[0].lower() + text[1:]

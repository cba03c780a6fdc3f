"""Says a sentence in other words by rules: contractions, synonyms, requests put otherwise, a time or place moved to the
front. What is meant stays, and so no student is taught by it: its results are for choosing.
"""

import random
import re

from .lexicon import FUNCTION_WORDS, article, words

_SYNONYMS = words(
    "buy:purchase bought:purchased big:large movie:film movies:films car:automobile child:kid children:kids "
    "quickly:rapidly often:frequently phone:telephone photo:picture photos:pictures doctor:physician trip:journey "
    "almost:nearly choose:pick built:constructed shop:store mistake:error mistakes:errors famous:well-known "
    "smart:clever enough:sufficient scared:afraid funny:amusing beautiful:lovely attempted:tried remained:stayed "
    "huge:enormous speaking:talking talking:speaking vehicle:automobile strange:odd sometimes:occasionally "
    "usually:normally again:once-more everybody:everyone everyone:everybody anybody:anyone nobody:no-one "
    "while:whilst however:nevertheless therefore:thus film:movie restaurant:eatery restaurants:eateries "
    "cheap:inexpensive nice:pleasant discovered:found returned:came-back purchase:buy began:started begins:starts "
    "street:road located:situated currently:presently attempt:try remain:stay forest:woods ship:vessel "
    "several:a-few correct:right sick:ill loud:noisy called:named build:construct stops:halts happened:occurred "
    "woods:forest error:mistake dad:father mom:mother dad's:father's mum:mother bike:bicycle plane:airplane "
    "kids:children garbage:trash couch:sofa automobile:car taxi:cab cab:taxi physician:doctor attorney:lawyer "
    "lawyer:attorney hates:detests wonderful:marvelous terrible:awful awful:terrible stupid:foolish clever:smart "
    "gorgeous:beautiful exam:test salary:pay employee:worker students:pupils pupil:student teacher:instructor "
    "rapidly:quickly slowly:gradually immediately:at-once frequently:often rarely:seldom seldom:rarely "
    "approximately:about inform:tell assistance:help regarding:about man:guy perhaps:maybe presently:currently "
    "songs:tunes kid:child somebody:someone album:record really:truly store:shop someone:somebody maybe:perhaps"
)
SYNONYMS = {one: other.replace("-", " ") for one, other in (pair.split(":") for pair in _SYNONYMS)}
_PATTERNS = tuple(
    (re.compile(rf"(?<![\w'’]){found}(?![\w'’])", re.IGNORECASE), text)
    for found, text in (
        ("can you(?: please)?", "could you please"), ("could you(?: please)?", "can you please"),
        ("i want to", "I would like to"), ("i would like to", "I want to"), ("i'd like to", "I want to"),
        ("i would like", "I want"), ("i'd like", "I would like"), ("i need to", "I have to"),
        ("what is", "what's"), ("what's", "what is"), ("it's", "it is"), ("i'm", "I am"), ("i've", "I have"),
        ("i'll", "I will"), ("that's", "that is"), ("there's", "there is"), ("don't", "do not"),
        ("doesn't", "does not"), ("didn't", "did not"), ("isn't", "is not"), ("can't", "cannot"), ("won't", "will not"),
        ("wasn't", "was not"), ("couldn't", "could not"), ("you're", "you are"), ("they're", "they are"),
        ("we're", "we are"), ("he's going to", "he is going to"), ("how do i", "how can I"), ("how can i", "how do I"),
        ("tell me", "let me know"), ("how much is", "what is the price of"), ("a lot of", "lots of"),
        ("is going to", "will"), ("are going to", "will"), ("has to", "must"), ("have to", "must"),
        ("in order to", "to"), ("is able to", "can"), ("such as", "like"), ("as well as", "and also"),
        ("at this time", "now"), ("right now", "at the moment"), ("due to", "because of"), ("because of", "owing to"),
        ("do you know", "can you tell me"), ("do you have any idea", "do you know"), ("is there a", "do you have a"),
        ("how many", "tell me how many"), ("how far is", "what is the distance to"),
        ("thank you", "thanks"), ("i think", "in my opinion"), ("i believe", "I think"),
    )
)  # fmt: skip
_TAIL = re.compile(
    r"^(?P<head>[A-Z][^,;:?!]{12,}?) (?P<tail>(?:in|on|at|during|after|before|since|until|near) "
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
    changed = 0
    for pattern, text in _PATTERNS:
        if changed < 2 and (found := pattern.search(sentence)):
            sentence = sentence[: found.start()] + _like(text, found.group()) + sentence[found.end() :]
            changed += 1
    parts = re.split(r"(\W+)", sentence)
    # A capital within a sentence begins a name, such as "the Big Ten".
    places = [n for n, part in enumerate(parts) if part.lower() in SYNONYMS and (n == 0 or part.islower())]
    for place in chance.sample(places, min(5, len(places))):
        parts[place] = _like(SYNONYMS[parts[place].lower()], parts[place])
        if place > 1 and parts[place - 1] == " " and parts[place - 2].lower() in {"a", "an"}:
            parts[place - 2] = _like(article(parts[place]), parts[place - 2])
        changed += 1
    sentence = "".join(parts)
    if (found := _TAIL.match(sentence)) and found["head"].split()[0] in _FRONT and not _CLAUSE.search(sentence):
        head = found["head"]
        sentence = f"{found['tail'][0].upper()}{found['tail'][1:]}, {head[0].lower()}{head[1:]}{found['end']}"
        changed += 1
    return sentence, changed


def introduce(sentence: str, chance: random.Random) -> str:
    """The sentence behind a few words that add nothing to it, others for a request or question than for a statement."""
    first = sentence.split()[0].lower()
    head = chance.choice(_BEFORE_QUESTIONS if asks(sentence) else _BEFORE_STATEMENTS)
    is_common = first in FUNCTION_WORDS | _ASKING and first != "i"
    return f"{head} {sentence[0].lower() if is_common else sentence[0]}{sentence[1:]}"


def asks(sentence: str) -> bool:
    """Return whether the sentence is a question or a request, by its mark or its first word."""
    return sentence.rstrip().endswith("?") or sentence.split()[0].lower() in _ASKING


_BEFORE_STATEMENTS = (
    "As far as I know,",
    "It turns out that",
    "To be clear,",
    "As a matter of fact,",
    "Just so you know,",
    "I can tell you that",
    "It is a fact that",
    "Let me say this:",
)
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

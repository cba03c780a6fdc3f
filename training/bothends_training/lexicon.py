"""Small tables of English: words that end a noun phrase, irregular participles, numbers, and kinds of things."""


def words(text: str) -> tuple[str, ...]:
    """Split the text into words."""
    return tuple(text.split())


DETERMINERS = frozenset(
    words(
        "a an the one two three four five six seven eight nine ten some several many few no another each every "
        "his her their my your our its"
    )
)
"""Words with which a noun phrase begins."""
FUNCTION_WORDS = DETERMINERS | frozenset(
    words(
        "am is are was were be been being do does did has have had can could will would shall should may might "
        "must not "
        "this that these those and or but nor so yet if than then as because while when where who whom whose "
        "which what why how there here "
        "i you he she it we they me him us them myself himself herself itself themselves "
        "in on at by for from of to with without into onto over under above below behind between near beside through "
        "across along around against about after before during until up down out off inside outside toward towards "
        "very too also just only never always often now again away back together"
    )
)
"""Words that no noun phrase holds behind its determiner."""

COUNTS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

PARTICIPLES = dict(
    pair.split(":")
    for pair in words(
        "beating:beaten biting:bitten blowing:blown breaking:broken bringing:brought building:built buying:bought "
        "carrying:carried catching:caught chasing:chased choosing:chosen closing:closed cutting:cut digging:dug "
        "drawing:drawn drinking:drunk driving:driven eating:eaten feeding:fed fighting:fought finding:found "
        "flying:flown getting:got giving:given grabbing:grabbed hiding:hidden hitting:hit holding:held "
        "hugging:hugged "
        "hurting:hurt keeping:kept knowing:known leading:led leaving:left letting:let lighting:lit making:made "
        "meeting:met paying:paid petting:petted putting:put reading:read riding:ridden ringing:rung running:run "
        "seeing:seen selling:sold sending:sent setting:set shaking:shaken shooting:shot showing:shown "
        "shutting:shut singing:sung stealing:stolen stopping:stopped stirring:stirred striking:struck "
        "sweeping:swept swinging:swung taking:taken teaching:taught tearing:torn telling:told "
        "throwing:thrown tying:tied wearing:worn winning:won writing:written "
        "chopping:chopped dragging:dragged dropping:dropped flipping:flipped grinding:ground mopping:mopped "
        "planning:planned ripping:ripped rubbing:rubbed scrubbing:scrubbed slapping:slapped tapping:tapped "
        "trimming:trimmed wrapping:wrapped"
    )
)
"""Past participles that are more than the stem of the -ing form and "ed"."""

PLURALS = dict(
    pair.split(":")
    for pair in words(
        "man:men woman:women child:children person:people fish:fish sheep:sheep lady:ladies baby:babies puppy:puppies "
        "cherry:cherries library:libraries factory:factories knife:knives scarf:scarves potato:potatoes "
        "tomato:tomatoes mango:mangoes"
    )
)
"""Plurals that are more than the noun and "s", or "es" behind a hiss."""

KINDS = {
    "person": words(
        "man woman boy girl child kid baby lady guy player worker teacher student doctor singer runner farmer"
    ),
    "animal": words(
        "dog cat horse cow bird rabbit monkey sheep goat lion tiger bear elephant panda puppy kitten fish fox"
    ),
    "vehicle": words("car truck bus bike bicycle motorcycle boat train plane van jeep scooter tractor"),
    "instrument": words("guitar piano violin drum flute trumpet keyboard harp saxophone cello"),
    "vegetable": words("potato onion carrot tomato cucumber cabbage pepper garlic pumpkin"),
    "fruit": words("apple banana orange lemon peach pear melon mango grape cherry"),
    "building": words("house church school hotel castle museum hospital factory library barn"),
    "tool": words("knife hammer saw drill shovel axe rope ladder brush broom"),
    "drink": words("coffee tea beer wine milk juice water soda"),
    "color": words("red blue green yellow black white brown orange pink purple gray"),
    "sport": words("football soccer basketball baseball tennis hockey golf rugby volleyball"),
    "meal": words("breakfast lunch dinner supper"),
    "garment": words("shirt jacket hat coat dress skirt sweater scarf glove shoe"),
    "place": words("street park beach field garden forest kitchen yard river lake mountain road"),
}
"""Words by what each is a kind of."""

SINGULARS = {many: one for one, many in PLURALS.items() if many != one}

KIND_OF = {word: kind for kind, members in KINDS.items() for word in members}


def participle(ing: str) -> str:
    """Return the past participle of a verb from its -ing form, in lower case: "playing" to "played"."""
    return PARTICIPLES.get(ing, ing.removesuffix("ing") + "ed")


def plural(noun: str) -> str:
    """Return the plural of a noun: "dog" to "dogs", "man" to "men"."""
    return PLURALS.get(noun, noun + ("es" if noun.endswith(("x", "s", "sh", "ch")) else "s"))


def article(word: str) -> str:
    """Return "a" or "an", whichever goes before `word`, by its first letter."""
    return "an" if word[:1].lower() in "aeiou" else "a"


def is_plural(determiner: str, noun: str) -> bool:
    """Return True if a noun phrase is plural, as far as its determiner and its noun's ending show."""
    if determiner in {"a", "an", "one", "each", "every", "another", "this", "that"}:
        return False
    return determiner in COUNTS or noun in SINGULARS or (noun.endswith("s") and not noun.endswith("ss"))

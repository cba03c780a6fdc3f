"""KServe's ModelInfer by C++ and by Python is the same: bytes, or the status and its words, whatever is asked."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from bothends.kserve.v2 import inference_pb2
from bothends.server.fronts.kserve.methods import SERVICE
from tests.importing.tokenising.hard_texts import HARD, TEXTS
from tests.support.infer import packed, parameters, request
from tests.support.until import until

from .conftest import EXAMPLES, TIMES, Both

Agree = Callable[[Sequence[bytes]], int]
OUTPUTS = ("embedding", "token_count", "truncated")
ORDERS = [names for count in range(4) for names in itertools.permutations(OUTPUTS, count)]
"""Every choice of outputs, in every order; the first is none, which asks for all."""
AT_ONCE = 32
SENTENCE = st.one_of(TEXTS, st.text(max_size=60), st.sampled_from(HARD).filter(lambda text: len(text) < 999))
RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "truncation": st.sampled_from(["start", "end", "error", "pieces"]),
    "normalize": st.booleans(),
    "dimensions": st.sampled_from([64, 128, 512]),
    "timeout": st.just(0),
    "priority": st.sampled_from([0, 3, "high"]),
    "sequence_id": st.sampled_from([0, 7, "one"]),
    "sequence_start": st.booleans(),
}
ODD: dict[str, st.SearchStrategy[Any]] = {
    "truncation": st.sampled_from(["End", "", True]),
    "normalize": st.sampled_from([1, "true"]),
    "dimensions": st.sampled_from([0, 5, -64, 64.0, "64", 2**40]),
    "timeout": st.sampled_from([60_000_000, -1, "0"]),
    "priority": st.just(1.5),
    "sequence_id": st.sampled_from([2**60, "über"]),
    "pooling": st.just("mean"),
}


def field(tag: bytes, content: bytes) -> bytes:
    """A field of fewer than 128 bytes."""
    return tag + bytes([len(content)]) + content


NEGATIVE = b"\xff" * 9 + b"\x01"
SHAPES = (b"\x1a\x01\x01", b"\x1a\x02\x01\x01", b"\x1a\x03\x81\x00\x01", b"\x18\x01", field(b"\x1a", NEGATIVE))
TAILS = (
    *(b"", b"\x2a\x00", b"\x2a\x03\x42\x01a", b"\x2a\x06\x42\x01a\x42\x01b"),
    *(b"\x2a\x02\x08\x01", b"\x22\x00", b"\x30\x01"),
)
"""What stands behind a shape: contents, parameters, a field that is unknown."""
NAMED = inference_pb2.ModelInferRequest.InferInputTensor(name="text", datatype="BYTES").SerializeToString()
INPUTS = (*(NAMED + shape + tail for shape in SHAPES for tail in TAILS), NAMED, b"", NAMED + NAMED + SHAPES[0])
VALUES = (
    *(b"", b"\x08\x01", b"\x08\x00", b"\x10\x00", b"\x10\x40", b"\x10" + NEGATIVE, b"\x1a\x03end"),
    *(b"\x08\x01\x10\x40", b"\x10", b"\x28\x02", b"\x1a\x01\xff"),
)
NAMES = (b"normalize", b"dimensions", b"truncation", b"priority", b"timeout", b"")
PARAMETERS = (
    *(field(b"\x0a", name) + field(b"\x12", value) for name in NAMES for value in VALUES),
    *(b"\x12\x02\x08\x01" + field(b"\x0a", b"normalize"), field(b"\x0a", b"normalize")),
    field(b"\x0a", b"priority") + field(b"\x0a", b"normalize") + b"\x12\x02\x08\x01",
)
RAWS = (
    *(packed([b"a"]), packed([b"a"])[:-1], b"", packed([b"a", b"b"])),
    *(b"\x01\x00\x00", b"\xff\xff\xff\xffa", packed([b"\xc3"])),
)
REQUESTED = (
    field(b"\x0a", b"embedding"),
    b"",
    field(b"\x0a", b"embedding") + b"\x12\x00",
    field(b"\x0a", b"truncated"),
)
OTHERS = (
    *(b"\x0a\x00", b"\x0a\x07another", b"\x12\x00", b"\x12\x01", b"\x1a\x017", b"\x1a\x01\xff"),
    *(b"\x40\x01", b"\x1a\x81\x00x"),
)
"""Names, versions, ids, and what is no field."""
PLAIN = [field(b"\x0a", b"english"), field(b"\x2a", INPUTS[0]), field(b"\x3a", RAWS[0])]
FIELDS = [
    *(field(b"\x2a", content) for content in INPUTS),
    *(field(b"\x22", content) for content in PARAMETERS),
    *(field(b"\x3a", content) for content in RAWS),
    *(field(b"\x32", content) for content in REQUESTED),
    *OTHERS,
]


def mostly(right: st.SearchStrategy[Any], *wrong: Any) -> st.SearchStrategy[Any]:
    """Draw what is right, but once in ten times what isn't."""
    return st.integers(0, 9).flatmap(lambda number: st.sampled_from(wrong) if number == 9 else right)


def output(name: str) -> Any:
    return inference_pb2.ModelInferRequest.InferRequestedOutputTensor(name=name)


@pytest.fixture
def agree(both: Both) -> Iterator[Agree]:
    """Have both servers answer requests alike; returns how many were answered with embeddings."""
    with both.agreeing(f"/{SERVICE}/ModelInfer") as agree:
        yield agree


def asking(texts: Iterator[str]) -> Iterator[bytes]:
    """Make a request of each text, or of three, by any options, for any outputs."""
    draw = random.Random(33)  # noqa: S311  the same requests each time
    while few := list(itertools.islice(texts, draw.choice((1, 3)))):
        given = {
            "dimensions": draw.choice((None, 128)),
            "truncation": draw.choice(("start", "end", "error", "pieces", None)),
            "normalize": draw.choice((None, True)),
        }
        asked = parameters(**{name: value for name, value in given.items() if value is not None})
        outputs = map(output, draw.choice(ORDERS))
        made = request(*few, raw=draw.random() < 0.5, outputs=outputs, id=draw.choice(("", "33")), **asked)
        yield made.SerializeToString()


def batches(contents: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(itertools.islice(contents, AT_ONCE)):
        yield batch


@st.composite
def requests(draw: st.DrawFn, version: str) -> Any:
    """Make requests that are right, or wrong in a place or two."""
    texts = draw(st.lists(SENTENCE, min_size=draw(mostly(st.just(1), 0)), max_size=4))
    given = draw(st.fixed_dictionaries({}, optional=RIGHT))
    if odd := draw(mostly(st.none(), *ODD)):
        given |= {odd: draw(ODD[odd])}
    made = request(*texts, raw=draw(st.booleans()), **parameters(**given))
    made.model_name = draw(mostly(st.just("english"), "", "another"))
    made.model_version = draw(mostly(st.sampled_from(["", version]), "0"))
    made.id = draw(mostly(st.sampled_from(["", "7", "x" * 1024]), "über", "x" * 1025))
    for name in draw(st.lists(mostly(st.sampled_from(OUTPUTS), "pooled"), max_size=4)):
        made.outputs.add(name=name)
    count = len(texts)
    made.inputs[0].shape[:] = draw(
        mostly(st.sampled_from([[count], [count, 1]]), [], [count, 2], [count + 1, 1], [-1], [1] * 3)
    )
    return made


@TIMES
def test_hard_texts(both: Both, agree: Agree, times: int) -> None:
    """Beside others, by each option, in both ways to send texts, for outputs in every order."""
    before = both.served("ModelInfer", "native")
    answered = sum(map(agree, batches(asking(iter(HARD * times)))))
    assert answered > 12 * times
    until(lambda: both.served("ModelInfer", "native") > before + answered / 2)


def test_lists(both: Both, agree: Agree) -> None:
    """Many texts are served in slices, of which no thread knows the whole. One list at a time: none is late."""
    before = both.served("ModelInfer", "native")
    texts = [f"{'a ' * (1 + index % 9)}man is {'very ' * (index % 7 * 10)}old" for index in range(40)]
    asked = itertools.product((17, 40), (True, False), ORDERS[::8])
    contents = [
        request(*texts[:count], raw=raw, outputs=map(output, wanted)).SerializeToString()
        for count, raw, wanted in asked
    ]
    assert [agree([content]) for content in contents] == [1] * len(contents)
    until(lambda: both.served("ModelInfer", "native") == before + len(contents))


@EXAMPLES
def test_requests_of_any_kind(both: Both, agree: Agree, examples: int) -> None:
    """Known parameters and unknown ones, of any type; other names, versions and shapes; no text at all."""
    before = both.served("ModelInfer", "native")
    made = requests(both.native.service.embedder.model.config.version)

    @hypothesis.settings(max_examples=examples, database=None)
    @hypothesis.given(st.lists(made, min_size=8, max_size=8))
    def ask(asked: list[Any]) -> None:
        agree([one.SerializeToString() for one in asked])

    ask()
    until(lambda: both.served("ModelInfer", "native") > before + examples / 3)


@EXAMPLES
def test_bytes_of_any_kind(agree: Agree, examples: int) -> None:
    """Fields in any order, twice, of other kinds, cut short, or numbers in more bytes than they need."""
    parts = st.lists(st.one_of(st.sampled_from(FIELDS), st.binary(max_size=3)), max_size=3).flatmap(
        lambda found: st.permutations(found + PLAIN)
    )

    @hypothesis.settings(max_examples=2 * examples, database=None)
    @hypothesis.given(st.lists(parts.map(b"".join), min_size=8, max_size=8))
    def ask(contents: list[bytes]) -> None:
        agree(contents)

    ask()

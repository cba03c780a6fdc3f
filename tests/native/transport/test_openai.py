"""OpenAI's embeddings without Python: what C++ answers, Python would answer with the same bytes.

Bodies come as messages of gRPC here: what HTTP does to them is none of the codec's business.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import hypothesis
import numpy as np
import pytest
from bothends_native import engine, transport
from hypothesis import strategies as st

from bothends.embeddings import Embeddings
from bothends.errors import RequestError
from bothends.options import Options
from bothends.server.fronts.openai.endpoints import write
from bothends.server.fronts.openai.requests import EmbeddingRequest
from bothends.server.http.json_requests import parse
from tests.support.until import TIMEOUT_S

from .fast import MAX_TOKENS, SIZES, VERSION, Fast, encoder_of, named, tokenizer
from .served import ECHO, Served

NAME, ALIAS = 'an "english" one', "text-embedding-3-small"
WORDS = ("a", "b", "man", "é", "bb", "  ", "nnn")
PLAIN = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
TEXTS = st.one_of(PLAIN, st.text(max_size=12))
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "input": st.one_of(TEXTS, st.lists(TEXTS, max_size=4), st.lists(st.integers(), max_size=2), st.none()),
    "model": st.sampled_from([NAME, ALIAS, "another", None, 1]),
    "encoding_format": st.sampled_from(["float", "base64", None, "Float", 1]),
    "dimensions": st.sampled_from([*SIZES, 0, 5, 4.0, True, "4", None, -4, 2**64, 10**400]),
    "user": st.one_of(st.text(max_size=5), st.none(), st.integers()),
    "truncation": st.sampled_from(["error", "start", "end", None, "Start", False]),
    "input ": st.just("a"),
}
PIECES = (
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"',
        " ",
        "\t",
        "\n",
        "\x0b",
        "\ufeff",
        "null",
        "true",
        "0",
        "-1",
        "1.0",
        "1E2",
        "01",
    ),
    *(
        "1e400",
        "NaN",
        "Infinity",
        "-Infinity",
        "9" * 23,
        '"\\ud800"',
        '"\\ud83d\\ude00"',
        '"\\u0000"',
        "[" * 900,
        "'a'",
    ),
    *('"\x01"', '"\x7f"', '"\\/"', '"\\x"', "//x\n", "/**/", '"input":"a"', '"inp\\u0075t":"b"', '"user":null', ",,"),
    *('{"input":"a","model":"m"}', '"dimensions":null,', f'"model":"{ALIAS}"', ", }", "+1", ".5", "01", "'a'"),
)


class Asked:
    """A transport that speaks OpenAI's JSON, and the answers that it owes by Python's own reading."""

    def __init__(self, served: Served, encoder: engine.Encoder | None = None) -> None:
        models = [named(NAME, ALIAS, shown=json.dumps(NAME), version=json.dumps(VERSION))]
        codec = transport.Codec.openai(models=models, truncation=transport.Truncation.error)
        self.fast = Fast(served, encoder, codec=codec)
        self._tokenizer = tokenizer()

    def answers(self, contents: Sequence[bytes]) -> list[bytes | None]:
        """Return what C++ answers; None for each that it leaves to Python."""
        with self.fast.served.channel() as channel:
            calls = [channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S) for content in contents]
            found = [call.result() for call in calls]
        return [None if answer == content else answer for answer, content in zip(found, contents, strict=True)]

    def written(self, content: bytes) -> bytes | None:
        """Return what Python answers; None where it refuses."""
        try:
            request = parse(content, EmbeddingRequest)
        except RequestError:
            return None
        kept = request.truncation or "error"
        texts = [text for text in request.input if isinstance(text, str)]
        read = self._tokenizer.encode(texts, MAX_TOKENS, keep_end=kept == "end")
        cut = [tokens is not None and tokens[1] for tokens in read]
        ids = [tokens[0] for tokens in read if tokens is not None and tokens[0]]
        known = request.model in (None, NAME, ALIAS) and request.dimensions in (None, *SIZES)
        if not known or not ids or len(ids) < len(request.input) or (kept == "error" and any(cut)):
            return None
        offsets = np.cumsum([0, *map(len, ids)])
        rows = self.fast.encoder.run(np.concatenate(ids).astype(np.int32), offsets.astype(np.int64))
        rows = Options(normalize=True, dimensions=request.dimensions).shaped(rows)
        found = Embeddings(rows, [len(each) for each in ids], cut, VERSION)
        return write(NAME, request.encoding_format or "float", found)


@pytest.fixture
def asked(serve: Callable[..., Served]) -> Iterator[Asked]:
    made = Asked(serve())
    yield made
    made.fast.stop()


def body(**members: Any) -> bytes:
    return json.dumps({"model": ALIAS, "input": "a man"} | members).encode()


@pytest.mark.parametrize(
    "content",
    [
        body(),
        body(input=["a", "man b", "é"]),
        body(input=["b" * 3] * 3, encoding_format="base64", user="me"),
        body(input="a b a b man b", truncation="end", dimensions=4, model=NAME),
        body(input="a b a b man b", truncation="start", encoding_format=None, dimensions=None, user=None),
        b' {"input"\t: "\\u00e9 \\u0061\\/".\n}'.replace(b'".', b'", "model":"text-embedding-3-small"').replace(
            b"\\/", b""
        ),
        json.dumps({"model": ALIAS, "input": "é"}, ensure_ascii=False).encode(),
    ],
)
def test_a_plain_request_is_answered_with_the_bytes_that_python_writes(asked: Asked, content: bytes) -> None:
    (answer,) = asked.answers([content])
    assert answer is not None
    assert answer == asked.written(content)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"[]", b'"a"', b"null", body() + b"x", b"\xef\xbb\xbf" + body(), body()[:-1], b"[" * 100_000),
        *(
            body(input=[]),
            body(input=["a"] * 4),
            body(input=["a", 1]),
            body(input=[1]),
            body(input=[[1]]),
            body(input=""),
        ),
        *(
            body(input=" "),
            body(input="Ω"),
            body(input="a [UNK]"),
            body(input=None),
            body(model="another"),
            body(extra=1),
        ),
        *(body(dimensions=size) for size in (0, 5, 4.0, True, "4", -4, 2**64 + 4)),
        *(body(encoding_format="Float"), body(user=1), body(truncation="middle"), body(input="a b a b man b")),
        b'{"input":"a","model":"text-embedding-3-small","input":"b"}',
        b'{"input":"a","model":"text-embedding-3-small","inp\\u0075t":"b"}',
        b'{"input":"a\\ud800","model":"text-embedding-3-small"}',
        b'{"input":"a\xff","model":"text-embedding-3-small"}',
        b'{"input":"a","model":"text-embedding-3-small","dimensions":1e400}',
        b'{"input":"a","model":"text-embedding-3-small","user":NaN}',
        b'{"input":"a","model":"text-embedding-3-small",}',
    ],
)
def test_what_is_not_plain_is_left_to_python(asked: Asked, content: bytes) -> None:
    """It has the words, or another verdict: of members twice, of half a surrogate pair, of texts in other scripts."""
    assert asked.answers([content]) == [None]
    assert asked.fast.count() == 0


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Make bodies of some members, of which some bytes may be others, gone, or too many."""
    names = draw(st.lists(st.sampled_from(list(MEMBERS)), max_size=5, unique=True))
    members = {"model": ALIAS, "input": draw(PLAIN)} if draw(st.booleans()) else {}
    members |= {name: draw(MEMBERS[name]) for name in names}
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:")]))
    content = bytearray(
        json.dumps(members, ensure_ascii=draw(st.booleans()), separators=separators), "utf-8", "replace"
    )
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        at = draw(st.integers(0, len(content)))
        piece = draw(st.one_of(st.sampled_from(PIECES).map(str.encode), st.binary(max_size=3)))
        content[at : at + draw(st.sampled_from((0, 0, 1, 2, 5)))] = piece
    return bytes(content)


def test_both_languages_have_one_verdict(asked: Asked) -> None:
    """Whatever C++ answers, Python would answer so; and C++ answers much of what Python would."""
    answered = refused = 0

    @hypothesis.settings(max_examples=100, database=None, deadline=None, derandomize=True)
    @hypothesis.given(st.lists(bodies(), min_size=20, max_size=20))
    def agree(contents: list[bytes]) -> None:
        nonlocal answered, refused
        for content, answer in zip(contents, asked.answers(contents), strict=True):
            if answer is not None:
                assert answer == asked.written(content)
            answered, refused = answered + (answer is not None), refused + (answer is None)

    agree()
    assert answered > 100
    assert refused > 300


def test_numbers_are_written_as_python_writes_them(serve: Callable[..., Served]) -> None:
    """As short as they can be, with an exponent where it has one: of each size that is left of a row of length 1."""
    made = Asked(serve(), encoder_of(500, decades=36))
    texts = ["a man", "b", "é b a", "man man", "a a a"]
    contents = [body(input=text) for text in texts]
    found = made.answers(contents)
    assert found == [made.written(content) for content in contents]
    numbers = [abs(number) for answer in found if answer for number in json.loads(answer)["data"][0]["embedding"]]
    assert min(numbers) < 1e-30
    assert max(numbers) > 0.01
    made.fast.stop()

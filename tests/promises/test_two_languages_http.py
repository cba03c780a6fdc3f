"""Over HTTP what C++ serves and what Python serves are the same JSON, or the same error, whatever is asked."""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import hypothesis
import pytest
from hypothesis import strategies as st

from tests.importing.tokenising.hard_texts import HARD, TEXTS, every_real_sentence
from tests.support.until import TIMEOUT_S

from .conftest import LONG, Both

PATH, METHOD = "/v1/embeddings", "POST /v1/embeddings"
Agree = Callable[[Sequence[bytes]], int]
SENTENCE = st.one_of(TEXTS, st.text(max_size=60), st.sampled_from(HARD).filter(lambda text: len(text) < 999))
WORDS = "there will be dragons where a man plays the guitar, and a woman sings".split()  # noqa: SIM905
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["english", "text-embedding-3-small", "another", None, 1]),
    "input": st.one_of(SENTENCE, st.lists(SENTENCE, max_size=4), st.lists(st.integers(0, 99), max_size=3), st.none()),
    "encoding_format": st.sampled_from(["float", "base64", None, "Float", 1]),
    "dimensions": st.sampled_from([64, 128, 512, 0, 5, 64.0, True, "64", None, -64, 2**64 + 64, 10**400]),
    "user": st.one_of(st.text(max_size=5), st.none(), st.integers()),
    "truncation": st.sampled_from(["error", "start", "end", None, "Start", False]),
    "input ": st.just("a"),
}
PIECES = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b" ", b"\t", b"\x0b", b"\xef\xbb\xbf", b"\xff", b"null", b"-1", b"1.0"),
    *(b"1e400", b"NaN", b"Infinity", b"9" * 23, b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\x01"', b"[" * 900),
    *(b'"input":"a",', b'"inp\\u0075t":"b",', b'"user":null,', b"//x\n", b", }", b"01", b"'a'", b'"model":"english"'),
]


@pytest.fixture
def agree(both: Both) -> Iterator[Agree]:
    """Have both servers answer bodies alike; returns how many were answered with embeddings."""
    addresses = (f"http://127.0.0.1:{server.http_port}" for server in (both.native, both.python))
    native, python = (httpx.Client(base_url=address, timeout=TIMEOUT_S) for address in addresses)

    def ask(contents: Sequence[bytes]) -> int:
        answered = 0
        for content in contents:
            found = [_asked(client, content) for client in (native, python)]
            assert found[0] == found[1], content
            answered += found[0][0] == 200
        return answered

    with native, python:
        yield ask


def _asked(client: httpx.Client, content: bytes) -> tuple[int, bytes, str | None, str | None]:
    """Return the status, the body, and those headers that tell of it."""
    response = client.post(PATH, content=content, headers={"content-type": "application/json"})
    headers = response.headers
    return response.status_code, response.content, headers["content-type"], headers.get("x-truncated-inputs")


def bodies(texts: Iterator[str]) -> Iterator[bytes]:
    """Make a request of each text, or of three, with one after the other of all options."""
    options = itertools.cycle(
        itertools.product(("start", "end", None, "error"), (None, 128), ("base64", "float"), (1, 1, 3), (True, False))
    )
    while True:
        truncation, size, encoding, count, is_ascii = next(options)
        if not (few := list(itertools.islice(texts, count))):
            return
        members: dict[str, Any] = {
            "model": "english",
            "input": few if count > 1 else few[0],
            "encoding_format": encoding,
        }
        members |= {"dimensions": size, "truncation": truncation}
        yield json.dumps(members, ensure_ascii=is_ascii).encode(errors="surrogatepass")


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """Make a body of some members, of which some bytes may be others, gone, or too many."""
    names = draw(st.lists(st.sampled_from(list(MEMBERS)), max_size=5, unique=True))
    members = {"model": "english", "input": "a man"} if draw(st.booleans()) else {}
    members |= {name: draw(MEMBERS[name]) for name in names}
    content = bytearray(json.dumps(members, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass"))
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.sampled_from((0, 0, 1, 2, 5)))] = draw(
            st.one_of(st.sampled_from(PIECES), st.binary(max_size=3))
        )
    return bytes(content)


def test_hard_texts(both: Both, agree: Agree) -> None:
    """Each alone or beside others, with each option; some are too long, blank, or read by the library alone."""
    before = both.served(METHOD, "native")
    answered = agree(list(bodies(iter(HARD * 4))))
    assert answered > 50
    assert both.served(METHOD, "native") > before + answered / 4


@pytest.mark.parametrize("count", [1, 2, 16, 17, 65, 257, 600])
def test_lists_of_any_length(both: Both, agree: Agree, count: int) -> None:
    """Plain ones are served by C++, each of them; so are those with some hard texts, or Python has their words."""
    draw = random.Random(count)  # noqa: S311  not a secret
    plain = [" ".join(draw.choices(WORDS, k=draw.randint(1, 30))) for _ in range(count)]
    hard = [text for text in draw.choices(HARD, k=count // 20 + 1) if text.strip()]
    long = ["dragons, " * 300, *plain[1:]]
    before = both.served(METHOD, "native")
    asked = [
        json.dumps({"model": "english", "input": texts, "encoding_format": encoding, "truncation": "start"}).encode()
        for texts in (plain, long, [*plain, *hard])
        for encoding in ("float", "base64")
    ]
    assert agree(asked[:4]) == 4
    assert both.served(METHOD, "native") == before + 4
    agree(asked[4:])


def test_bodies_of_any_kind(both: Both, agree: Agree) -> None:
    """Members that are known and others, twice or of another kind; bytes that are no JSON, or nearly."""
    before = both.served(METHOD, "native")

    @hypothesis.settings(max_examples=60, database=None)
    @hypothesis.given(st.lists(broken(), min_size=8, max_size=8))
    def ask(contents: list[bytes]) -> None:
        agree(contents)

    ask()
    assert both.served(METHOD, "native") > before + 20


@pytest.mark.slow
def test_real_sentences_of_every_kind(both: Both, agree: Agree, pytestconfig: pytest.Config) -> None:
    """Hardly any is left to Python."""
    count = LONG if pytestconfig.getoption("--long") else LONG // 20
    before = both.served(METHOD, "python")
    texts = itertools.islice(every_real_sentence(), 0, None, 7)
    answered = agree(list(bodies(itertools.islice(texts, count))))
    assert answered > count / 4
    assert both.served(METHOD, "python") - before < count / 20

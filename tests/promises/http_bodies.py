"""Bodies of HTTP's requests, whole and broken, and two servers that must answer them alike."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from hypothesis import strategies as st

from tests.importing.tokenising.hard_texts import HARD, TEXTS
from tests.support.until import TIMEOUT_S

from .conftest import Both

Agree = Callable[[Sequence[bytes]], int]
"""Function that has both servers answer bodies alike; returns how many were answered with embeddings."""
SENTENCE = st.one_of(TEXTS, st.text(max_size=60), st.sampled_from(HARD).filter(lambda text: len(text) < 999))
INPUT = st.one_of(SENTENCE, st.lists(SENTENCE, max_size=4), st.lists(st.integers(0, 99), max_size=3), st.none())
SIZE = st.sampled_from([64, 128, 512, 0, 5, 64.0, True, "64", None, -64, 2**64 + 64, 10**400])
_JSON = {"content-type": "application/json"}
PIECES = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b" ", b"\t", b"\x0b", b"\xef\xbb\xbf", b"\xff", b"null", b"-1", b"1.0"),
    *(b"1e400", b"NaN", b"Infinity", b"9" * 23, b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\x01"', b"[" * 900),
    *(b'"input":"a",', b'"inp\\u0075t":"b",', b'"user":null,', b"//x\n", b", }", b"01", b"'a'", b'"model":"english"'),
    *(b'"inputs":"a",', b'"inp\\u0075ts":"b",', b'"truncate":true,', b'"prompt_name":null,'),
    *(b'"prompt":"a",', b'"options":{"seed":1},', b'"keep_alive":-1,', b'"mod\\u0065l":"english:latest",'),
]


@contextmanager
def agreeing(both: Both, path: str, headers: Mapping[str, str] | None = None) -> Iterator[Agree]:
    """Ask both servers at `path`, with these headers if any are given."""
    addresses = (f"http://127.0.0.1:{server.http_port}" for server in (both.native, both.python))
    native, python = (httpx.Client(base_url=address, timeout=TIMEOUT_S) for address in addresses)

    def ask(contents: Sequence[bytes]) -> int:
        answered = 0
        for content in contents:
            found = [
                _asked(client, path, content, _JSON if headers is None else headers) for client in (native, python)
            ]
            assert found[0] == found[1], content
            answered += found[0][0] == 200
        return answered

    with native, python:
        yield ask


def _asked(
    client: httpx.Client, path: str, content: bytes, headers: Mapping[str, str]
) -> tuple[int, bytes, str | None, str | None]:
    """Return the status, the body without the time that it took, and those headers that tell of it."""
    response = client.post(path, content=content, headers=headers)
    told = response.headers
    body = re.sub(rb'"total_duration":\d+', b'"total_duration":0', response.content)
    return response.status_code, body, told["content-type"], told.get("x-truncated-inputs")


@st.composite
def broken(draw: st.DrawFn, known: Mapping[str, st.SearchStrategy[Any]], plain: Mapping[str, Any]) -> bytes:
    """Make a body of some `known` members, `plain` ones often among them, of which some bytes may be others, gone, or
    too many.
    """
    names = draw(st.lists(st.sampled_from(list(known)), max_size=5, unique=True))
    members = dict(plain) if draw(st.booleans()) else {}
    members |= {name: draw(known[name]) for name in names}
    content = bytearray(json.dumps(members, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass"))
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.sampled_from((0, 0, 1, 2, 5)))] = draw(
            st.one_of(st.sampled_from(PIECES), st.binary(max_size=3))
        )
    return bytes(content)

"""Embeddings by Python's HTTP libraries, printed as JSON: httpx over HTTP/1.1 and HTTP/2, aiohttp, requests.

Arguments: URL, and "http2" where the server speaks it; sentences on stdin. Each library sends several requests on a
connection that it keeps: plain, compressed, and in chunks.
"""

import asyncio
import base64
import gzip
import json
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import httpx
import requests

URL = f"{sys.argv[1]}/embeddings"
SENTENCES = json.load(sys.stdin)["sentences"]
BODY = json.dumps({"model": "english", "input": SENTENCES, "encoding_format": "base64"}).encode()
JSON = {"content-type": "application/json"}
GZIP = JSON | {"content-encoding": "gzip"}


def rows(answer: dict[str, Any]) -> list[list[float]]:
    packed = (base64.b64decode(item["embedding"]) for item in answer["data"])
    return [list(struct.unpack(f"<{len(row) // 4}f", row)) for row in packed]


def pieces() -> Iterator[bytes]:
    """A body of unknown length, which libraries send in chunks."""
    yield from (BODY[at : at + 100] for at in range(0, len(BODY), 100))


async def pieces_later() -> AsyncIterator[bytes]:
    for piece in pieces():
        yield piece


def by(post: Callable[..., Any], content: str) -> dict[str, list[list[float]]]:
    """Post in each way; `content` is the library's name of a body."""
    return {
        "plain": rows(post(URL, **{content: BODY}, headers=JSON).json()),
        "compressed": rows(post(URL, **{content: gzip.compress(BODY)}, headers=GZIP).json()),
        "in chunks": rows(post(URL, **{content: pieces()}, headers=JSON).json()),
    }


async def by_async_httpx(*, is_http2: bool) -> list[list[float]]:
    """Ask for each sentence by itself, many at a time over HTTP/1.1.

    Over HTTP/2 httpcore fails now and then where one call begins while another's answer ends: h2 forgets the stream,
    whose bytes httpcore has yet to acknowledge.
    """
    async with httpx.AsyncClient(http1=not is_http2, http2=is_http2, timeout=60) as client:
        asked = [client.post(URL, json=one(sentence)) for sentence in SENTENCES]
        answers = [await each for each in asked] if is_http2 else await asyncio.gather(*asked)
    assert {answer.http_version for answer in answers} == {"HTTP/2" if is_http2 else "HTTP/1.1"}
    return [rows(answer.json())[0] for answer in answers]


async def by_aiohttp() -> dict[str, list[list[float]]]:
    async with aiohttp.ClientSession() as client:

        async def post(**options: Any) -> list[list[float]]:
            async with client.post(URL, headers=JSON, **options) as answer:
                return rows(await answer.json())

        each = await asyncio.gather(*(post(json=one(sentence)) for sentence in SENTENCES))
        return {
            "plain": await post(data=BODY),
            "compressed": await post(data=BODY, compress="gzip"),
            "in chunks": await post(data=pieces_later()),
            "if it may": await post(data=BODY, expect100=True),
            "at once": [row for (row,) in each],
        }


def one(sentence: str) -> dict[str, str]:
    return {"model": "english", "input": sentence, "encoding_format": "base64"}


def by_httpx(*, is_http2: bool) -> dict[str, list[list[float]]]:
    with httpx.Client(http1=not is_http2, http2=is_http2, timeout=60) as client:
        return by(client.post, "content") | {"by asyncio": asyncio.run(by_async_httpx(is_http2=is_http2))}


def main() -> None:
    found = {"httpx": by_httpx(is_http2=False)}
    if "http2" in sys.argv[2:]:
        found["httpx, HTTP/2"] = by_httpx(is_http2=True)
    found["aiohttp"] = asyncio.run(by_aiohttp())
    with requests.Session() as session:
        found["requests"] = by(session.post, "data")
    json.dump(found, sys.stdout)


main()

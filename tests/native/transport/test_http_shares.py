"""Shares of keys over HTTP: counted and denied in C++, as over gRPC."""

import hashlib
import json
import math
import re
import threading
from collections.abc import Iterator

import pytest
from bothends_native import transport

from bothends.server.quota import KeyAccount, Quota
from tests.support.until import TIMEOUT_S

from .fast import encoder_of, named, path_of
from .served import METHODS
from .web import EMBED, Web, Wire, post, web

KEY = "one"


@pytest.fixture
def web_path() -> Iterator[Web]:
    """A transport whose fast path answers requests of OpenAI's; its application is nobody."""
    with web() as served:
        models = [named("m", shown='"m"', version='"1"')]
        codec = transport.Codec.openai(models=models, truncation=transport.Truncation.error)
        path = path_of(served, encoder_of(), codec=codec, method=len(METHODS))  # the first of HTTP's

        def take() -> None:
            while path.take_messages(64, 1.0, 1 << 20, threading.get_ident()) is not None:
                pass

        thread = threading.Thread(target=take)
        thread.start()
        yield served
        served.transport.stop(0)
        thread.join(TIMEOUT_S)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Quota(sentences_per_s=0.125), r"it is over_rate: 0\.125, 13, (\d+) s, (\d+) ms"),
        (Quota(concurrent_sentences=13), r"it is over_concurrency: 13, 13, (1) s, (100) ms"),
    ],
    ids=["second", "at once"],
)
def test_a_share_that_is_denied_over_http(web_path: Web, limits: Quota, told: str) -> None:
    """The response that was prepared, with the numbers of this denial; the connection stays, and is served again."""
    account = KeyAccount(KEY, limits, create_usage=transport.Usage)
    web_path.transport.set_keys({hashlib.sha256(KEY.encode()).digest(): account.usage})
    body = json.dumps({"input": "a", "model": "m"}).encode()
    request = post(EMBED, body, "Content-Type: application/json", f"Authorization: Bearer {KEY}")
    account.take_share(13)
    with Wire(web_path.http_port) as wire:
        status, headers, content = wire.say(request).answer("POST")
        found = re.fullmatch(told, content.decode())
        assert found is not None, content
        seconds, milliseconds = map(int, found.groups())
        assert seconds == math.ceil(milliseconds / 1000)
        assert (status, headers["x-refusal"]) == (429, content.decode().split()[2].rstrip(":"))
        account.limits = Quota()
        account.give_back(13)
        assert wire.say(request).answer("POST")[0] == 200
        assert account.in_progress == 0
    assert web_path.count() == [(3, 8, headers["x-refusal"])]

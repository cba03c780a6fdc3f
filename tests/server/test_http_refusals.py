"""What a transport says of calls that it refuses by itself is word by word what Python says of the same calls."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from bothends.observe.metrics import Metrics
from bothends.observe.tracing import MethodName
from bothends.server import pending_bodies
from bothends.server.concurrency_limit import ConcurrencyLimit
from bothends.server.dispatch import Dispatcher
from bothends.server.fronts import FRONTS, tei
from bothends.server.fronts.front import Front, documented
from bothends.server.grpc.contract import Reason
from bothends.server.http.call import BodyLimits
from bothends.server.http.failure import Failure
from bothends.server.http.routes import Endpoint
from bothends.server.keys import Keys, new
from bothends.server.routes import http_words
from bothends.settings import Settings
from tests.support.until import TIMEOUT_S

SAID = ("content-type", "retry-after", "retry-after-ms", "www-authenticate")
"""Headers that belong to a refusal."""
JSON = {"content-type": "application/json"}
LATE = {**JSON, "x-stainless-read-timeout": "1"}
SETTINGS = Settings(max_concurrent_requests=1, max_message_bytes=1024)


@pytest.fixture(params=documented(FRONTS), ids=lambda front: front.name)
def front(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Front:
    """A front, whose words are those that Python says in the test."""
    found: Front = request.param
    monkeypatch.setattr(Door, "front", found, raising=False)
    return found


class Door:
    """Python's way to refuse, without a port."""

    front: Front

    def __init__(self, settings: Settings = SETTINGS, *, keys: Keys | None = None, wait_s: float = 0.0) -> None:
        self.concurrency = ConcurrencyLimit(limit=settings.max_concurrent_requests)
        self.dispatcher = Dispatcher(
            Metrics(),
            self.concurrency,
            lambda: wait_s,
            keys,
            max_wait_s=settings.caller_timeout_s,
        )
        self.handle = self.dispatcher.handler(
            MethodName.http("POST", "/v1/embeddings"), bytes, lambda _, context: context.send(b"{}")
        )
        self._limits = BodyLimits.of(settings)

    def says(self, content: bytes | AsyncIterator[bytes] = b"{}", /, **headers: str) -> Failure:
        async def ask() -> httpx.Response:
            words = self.front.render_error, self.front.status_of
            endpoint = Endpoint({"POST": self.handle}, self._limits, *words)
            transport = httpx.ASGITransport(Starlette(routes=[Route("/v1/embeddings", endpoint)]))
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
                sent = http.post("/v1/embeddings", content=content, headers=headers)
                return await asyncio.wait_for(sent, TIMEOUT_S)

        return said(asyncio.run(ask()))


def said(answer: httpx.Response) -> Failure:
    headers = {name: answer.headers[name] for name in SAID if name in answer.headers}
    return Failure(answer.status_code, headers, answer.content)


def prepared(front: Front, reason: Reason, settings: Settings = SETTINGS) -> Failure:
    code, headers, content = http_words(settings, FRONTS)[front.name][reason]
    found = {name.decode(): value.decode() for name, value in headers}
    assert set(found) <= set(SAID)
    return Failure(code, {name: found[name] for name in SAID if name in found}, content)


def full() -> Failure:
    door = Door()
    door.concurrency.enter()
    return door.says(**JSON)


def draining() -> Failure:
    door = Door()
    door.concurrency.close(timeout_s=0)
    return door.says(**JSON)


CASES: dict[Reason, Callable[[], Failure]] = {
    Reason.full: full,
    Reason.draining: draining,
    Reason.late: lambda: Door(wait_s=0.5).says(**LATE),
    Reason.expired: lambda: Door().says(**{**JSON, "x-stainless-read-timeout": "0"}),
    Reason.large: lambda: Door().says(b" " * 1025, **JSON),
    Reason.inflated: lambda: Door().says(gzip.compress(b" " * 1025), **JSON, **{"content-encoding": "gzip"}),
    Reason.malformed: lambda: Door().says(b"no gzip", **JSON, **{"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("reason", CASES)
def test_a_refusal_is_the_one_that_python_makes(front: Front, reason: Reason) -> None:
    """The same status, headers and body, whichever language refuses."""
    assert prepared(front, reason) == CASES[reason]()


def test_bodies_that_must_not_be_compressed(front: Front) -> None:
    settings = SETTINGS.model_copy(update={"compression": False})
    found = Door(settings).says(gzip.compress(b"{}"), **JSON, **{"content-encoding": "gzip"})
    assert prepared(front, Reason.compressed, settings) == found


@pytest.mark.parametrize(("reason", "key"), [(Reason.no_key, None), (Reason.unknown_key, "another")])
def test_callers_without_a_key(front: Front, tmp_path: Path, reason: Reason, key: str | None) -> None:
    (tmp_path / "keys.toml").write_text(new("search")[1])
    sent = JSON | ({} if key is None else {"authorization": f"Bearer {key}"})
    assert prepared(front, reason) == Door(keys=Keys(tmp_path / "keys.toml", every_s=0)).says(**sent)


@pytest.mark.parametrize(
    ("reason", "limits"),
    [(Reason.over_rate, "sentences_per_s = 0.125"), (Reason.over_concurrency, "concurrent_sentences = 12")],
)
def test_callers_whose_key_has_had_its_share(front: Front, tmp_path: Path, reason: Reason, limits: str) -> None:
    """What the transport fills in is named where Python's numbers stand."""
    key, entry = new("search")
    (tmp_path / "keys.toml").write_text(f"{entry}{limits}\n")
    keys = Keys(tmp_path / "keys.toml", every_s=0)
    keys.identify(f"Bearer {key}").take_share(12)
    door = Door(keys=keys)
    door.handle = door.dispatcher.handler(
        MethodName.http("POST", "/v1/embeddings"), bytes, lambda _, context: context.charge(1)
    )
    found = door.says(**JSON, authorization=f"Bearer {key}")
    numbers = {"limit": limits.rsplit(maxsplit=1)[-1], "in_progress": "12"}
    numbers |= {"retry_after_s": found.headers["retry-after"], "retry_after_ms": found.headers["retry-after-ms"]}
    expected = prepared(front, reason)
    for name, number in numbers.items():
        expected = Failure(
            expected.code,
            {header: value.replace(f"{{{name}}}", number) for header, value in expected.headers.items()},
            expected.content.replace(f"{{{name}}}".encode(), number.encode()),
        )
    assert expected == found


def test_a_caller_whose_request_did_not_come(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place went to another."""
    door = Door()

    async def halves() -> AsyncIterator[bytes]:
        yield b"{"
        monkeypatch.setattr(pending_bodies, "monotonic", lambda: 1e12)
        assert door.dispatcher.pending_bodies.evict_one()
        yield b"}"

    assert prepared(front, Reason.slow) == door.says(halves(), **JSON)


def test_there_is_a_response_for_each_reason(front: Front) -> None:
    assert http_words(SETTINGS, FRONTS)[front.name].keys() == set(Reason)
    assert {reason: prepared(front, reason).code for reason in Reason} == {
        Reason.no_key: 401,
        Reason.unknown_key: 401,
        Reason.full: 429,
        Reason.room: 429,
        Reason.crowded: 429,
        Reason.connections: 429,
        Reason.late: 429,
        Reason.unread: 429,
        Reason.expired: 504,
        Reason.draining: 503,
        Reason.slow: 408,
        Reason.empty: 422 if front is tei.FRONT else 400,
        Reason.large: 413,
        Reason.inflated: 413,
        Reason.headers: 431,
        Reason.timeout: 400,
        Reason.unknown: 404,
        Reason.malformed: 400,
        Reason.compressed: 415,
        Reason.over_rate: 429,
        Reason.over_concurrency: 429,
    }

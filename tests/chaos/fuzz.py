"""Feeds noise to every reader of foreign bytes, steered by coverage: `python -m tests.chaos.fuzz CORPUS -runs=N`.

The first byte of an input says who reads the rest. libFuzzer ends the process with another code than 0 where one of
them crashes, hangs, or raises what it doesn't promise to raise.
"""

import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from threading import Event

import atheris

with atheris.instrument_imports(include=["bothends"]):
    from google.protobuf.message import DecodeError
    from google.rpc import code_pb2, status_pb2
    from pydantic import ValidationError

    from bothends.core.embedder import Embedder
    from bothends.engines.onnx_allowlist import parse_allowed
    from bothends.errors import BothendsError, BundleError, OverloadedError, SentenceError
    from bothends.model.bundle import Bundle, BundleConfig, default_path
    from bothends.model.golden import Golden
    from bothends.observe.metrics import Metrics
    from bothends.observe.tracing import NO_SPAN
    from bothends.server.context import CallContext
    from bothends.server.dispatch import protobuf
    from bothends.server.fronts.bothends.methods import EmbeddingService
    from bothends.server.responder import Responder, Responders
    from bothends.settings import Settings
    from bothends.text import printable
    from bothends.v1 import embedding_pb2
    from bothends.validation import one_line
    from bothends.wire.messages import Response, decode
    from bothends.wire.status import from_status
    from tests.support.calls import HandHeldCall

Reader = Callable[[bytes], str]
"""Returns the outcome of the bytes, in a word."""
ANSWERS = {code_pb2.OK, code_pb2.INVALID_ARGUMENT, code_pb2.NOT_FOUND, code_pb2.RESOURCE_EXHAUSTED}
_STAYS = 16
"""One caller of so many waits for an answer; the others leave once it is under way."""
_TOLD_EVERY = 10_000


def told(call: HandHeldCall) -> set[int]:
    """Return the codes that a call was told: none where its caller left. An answer must be one that can be read."""
    answers = [outcome for outcome in call.outcomes if isinstance(outcome, bytes)]
    assert all(decode([Response.FromString(content)]).rows.size for content in answers)
    failures = {outcome.code for outcome in call.outcomes if isinstance(outcome, status_pb2.Status)}
    return failures | ({code_pb2.OK} if answers else set())


def server() -> Reader:
    """Read bytes as a server does: parsing, checks, the tokenizer and, now and then, the model."""
    settings, metrics = Settings(selftest_s=0, workers=1), Metrics()
    embedder = Embedder.load(Bundle.open(default_path()), settings=settings, metrics=metrics)
    responder = Responder(embedder)
    service = EmbeddingService(Responders([responder]), max_message_bytes=settings.max_message_bytes, transport="")
    parse = protobuf(embedding_pb2.EmbedRequest, max_sentences=embedder.limits.sentences)

    def read(content: bytes) -> str:
        call, ended = HandHeldCall(), Event()
        codes: list[str] = []

        def settled(code: int, _: object) -> None:
            codes.append(code_pb2.Code.Name(code))
            ended.set()

        context = CallContext(call, settled, NO_SPAN)  # type: ignore[arg-type]  # it answers with bytes or a status
        with context.guarding():
            service.embed(parse(content), context)
        if not ended.is_set():
            stays = next(patience) % _STAYS == 0
            assert not stays or ended.wait(30), "no answer"
            call.leave()
        assert codes[0] in ("OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "CANCELLED"), codes
        assert told(call) <= ANSWERS, call.outcomes
        return codes[0]

    patience = count()
    return read


def client(content: bytes) -> str:
    """Read bytes as an answer that a server might give."""
    try:
        found = decode([Response.FromString(content)])
    except (DecodeError, ValueError):
        return "refused"
    assert len(found.rows) == len(found.token_counts) == len(found.truncated)
    return "read"


def failure(content: bytes) -> str:
    """Read bytes as a status that a server might give: an error of ours results, which can be shown."""
    try:
        status = status_pb2.Status.FromString(content)
    except DecodeError:
        return "refused"
    error = from_status(status)
    assert isinstance(error, BothendsError)
    assert str(error) == printable(status.message) or isinstance(error, SentenceError)
    if isinstance(error, OverloadedError):
        assert error.retry_after_s >= 0
    return type(error).__name__


def refused(reason: str) -> str:
    """Return the name of `error`, whose text fits into one line of a terminal."""
    assert reason.isprintable()
    return "refused"


def model(content: bytes) -> str:
    """Read bytes as a model.onnx."""
    try:
        parse_allowed(content, Path("model.onnx"))
    except BundleError as error:
        return refused(str(error))
    return "read"


def golden(content: bytes) -> str:
    """Read bytes as a golden.npz."""
    try:
        Golden.from_bytes(content)
    except ValueError as error:
        return refused(printable(error))
    return "read"


def config(content: bytes) -> str:
    """Read bytes as a config.json."""
    try:
        BundleConfig.model_validate_json(content)
    except ValidationError as error:
        return refused(one_line(error))
    return "read"


class Bugs(logging.Handler):
    """Handler of logs that ends the fuzzer at an unforeseen error, in any thread, also where a call's end hides it."""

    def emit(self, record: logging.LogRecord) -> None:
        print(record.getMessage(), file=sys.stderr, flush=True)  # noqa: T201  for whoever started it
        os._exit(70)


def main() -> None:
    """Fuzz, and print the outcomes from time to time: libFuzzer leaves no moment after the last input."""
    readers = {
        "server": server(),
        "client": client,
        "failure": failure,
        "model": model,
        "golden": golden,
        "config": config,
    }
    logging.getLogger("bothends.server.context").addHandler(Bugs())
    names = list(readers)
    came: Counter[str] = Counter()

    def attack(data: bytes) -> None:
        if not data:
            return
        name = names[data[0] % len(names)]
        came[f"{name} {readers[name](data[1:])}"] += 1
        if came.total() % _TOLD_EVERY == 0:
            print(json.dumps(came), flush=True)  # noqa: T201  for whoever started it

    atheris.Setup(sys.argv, attack)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

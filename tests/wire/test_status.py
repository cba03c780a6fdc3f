"""Errors cross the wire and come back as themselves."""

import re

import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

import bothends
from bothends import errors
from bothends.wire.status import TABLE, from_status, to_status
from tests.support.paths import ROOT


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (errors.SentenceError(3, "is empty"), code_pb2.INVALID_ARGUMENT, "INVALID_SENTENCE"),
        (errors.LongSentenceError(3, "is long"), code_pb2.INVALID_ARGUMENT, "LONG_SENTENCE"),
        (errors.RequestError("too many"), code_pb2.INVALID_ARGUMENT, "INVALID_REQUEST"),
        (errors.OverloadedError("full", retry_after_s=1.25), code_pb2.RESOURCE_EXHAUSTED, "OVERLOADED"),
        (errors.QuotaError("your share", retry_after_s=1.25), code_pb2.RESOURCE_EXHAUSTED, "QUOTA"),
        (errors.UnauthenticatedError("no key"), code_pb2.UNAUTHENTICATED, "UNAUTHENTICATED"),
        (errors.NotServingError("unfit"), code_pb2.UNAVAILABLE, "NOT_SERVING"),
        (errors.DrainingError("stopping"), code_pb2.UNAVAILABLE, "DRAINING"),
        (errors.DeadlineError("late"), code_pb2.DEADLINE_EXCEEDED, "DEADLINE"),
        (errors.EngineError("the model run failed"), code_pb2.INTERNAL, "ENGINE"),
    ],
)
def test_each_error_has_its_status_and_comes_back(error: errors.BothendsError, code: int, reason: str) -> None:
    """Code, ErrorInfo and message; and the client raises what the server raised."""
    status = to_status(error)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, info.reason, info.domain, status.message) == (code, reason, "bothends", str(error))
    back = from_status(status)
    assert type(back) is type(error)
    assert str(back) == str(error)


def test_each_reason_stands_in_the_table_of_the_api() -> None:
    """docs/api.md has a row for each reason, with its status and what Python raises for it, and no other reason."""
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| .* \| ([A-Z_]+) \| `([A-Z_]+)` \| .*\| `(\w+)` \|$", text, re.MULTILINE)
    assert sorted(row[:2] for row in documented) == sorted(
        (code_pb2.Code.Name(code), reason) for _, code, reason in TABLE
    )
    kinds = {reason: kind for kind, _, reason in TABLE}
    for _, reason, name in documented:
        public = next(kind for kind in kinds[reason].__mro__ if kind.__name__ in bothends.__all__)
        assert name == public.__name__, reason


def test_a_bad_sentence_is_named_in_bad_request() -> None:
    """BadRequest's field is `sentences[3]`, and the index survives the way back."""
    status = to_status(errors.SentenceError(3, "is empty"))
    bad = error_details_pb2.BadRequest()
    assert status.details[1].Unpack(bad)
    assert [(v.field, v.description) for v in bad.field_violations] == [("sentences[3]", "is empty")]
    back = from_status(status)
    assert isinstance(back, errors.SentenceError)
    assert (back.index, back.reason) == (3, "is empty")


def test_a_full_server_says_when_to_try_again() -> None:
    """RetryInfo carries the delay to the nanosecond's neighbourhood."""
    back = from_status(to_status(errors.OverloadedError("full", retry_after_s=1.25)))
    assert isinstance(back, errors.OverloadedError)
    assert back.retry_after_s == pytest.approx(1.25)


def test_every_request_error_has_a_row() -> None:
    """No error that a request can meet falls through to INTERNAL unawares."""
    here = {errors.SettingsError, errors.StartupError, errors.DeviceError, errors.BundleError, errors.SelfTestError}
    here |= {errors.FileError, errors.ReplacedError}  # the last begins a request anew
    client_only = {errors.ConnectionFailedError, errors.ModelChangedError}

    def descendants(kind: type[errors.BothendsError]) -> set[type[errors.BothendsError]]:
        return {kind}.union(
            *(descendants(child) for child in kind.__subclasses__() if child.__module__ == kind.__module__)
        )

    rows = {kind for kind, _, _ in TABLE}
    assert descendants(errors.BothendsError) - {errors.BothendsError} == rows | here | client_only


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (code_pb2.UNAVAILABLE, errors.ConnectionFailedError),
        (code_pb2.DEADLINE_EXCEEDED, errors.DeadlineError),
        (code_pb2.RESOURCE_EXHAUSTED, errors.OverloadedError),
        (code_pb2.UNIMPLEMENTED, errors.BothendsError),
    ],
)
def test_a_status_without_our_details_is_read_by_its_code(code: int, kind: type[errors.BothendsError]) -> None:
    """gRPC's own failures, and proxies', are typed too."""
    assert type(from_status(status_pb2.Status(code=code, message="m"))) is kind


def test_hostile_details_never_break_the_caller() -> None:
    """Servers of any kind may answer: an index that is none, torn details, a wait that goes backwards."""

    def status(code: int, *details: Message) -> status_pb2.Status:
        made = status_pb2.Status(code=code, message="m")
        for detail in details:
            made.details.add().Pack(detail)
        return made

    for index in ("", "x", "-1", "1e3", "9" * 5000, "٣", "0x1"):
        info = error_details_pb2.ErrorInfo(reason="INVALID_SENTENCE", domain="bothends", metadata={"index": index})
        assert type(from_status(status(code_pb2.INVALID_ARGUMENT, info))) is errors.RequestError
    info = error_details_pb2.ErrorInfo(reason="INVALID_SENTENCE", domain="bothends")
    assert type(from_status(status(code_pb2.INVALID_ARGUMENT, info))) is errors.RequestError
    retry = error_details_pb2.RetryInfo(retry_delay={"seconds": -(2**63), "nanos": -(2**31)})
    waiting = from_status(status(code_pb2.RESOURCE_EXHAUSTED, retry))
    assert isinstance(waiting, errors.OverloadedError)
    assert waiting.retry_after_s == 0
    torn = status(code_pb2.INTERNAL, error_details_pb2.ErrorInfo(reason="DEADLINE", domain="bothends"))
    torn.details[0].value = torn.details[0].value[:-1]
    assert type(from_status(torn)) is errors.EngineError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.EngineError("the tokenizer failed (KeyError)"), "the model run failed"),
        (errors.BundleError("/models/english/model.onnx has changed"), "internal error"),
        (errors.BothendsError("a bug in /opt/bothends/dispatch.py"), "internal error"),
    ],
)
def test_what_is_ours_is_not_told(error: errors.BothendsError, told: str) -> None:
    """Paths, types and places are for the operator's log."""
    assert to_status(error).message == told

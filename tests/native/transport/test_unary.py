"""Calls of one message: answered, failed, refused, and never left without a status."""

from collections.abc import Callable
from typing import cast

import grpc
import pytest
from google.rpc import code_pb2

from tests.support.until import TIMEOUT_S

from .raw import ECHO, Raw, framed
from .served import STATUSES, Served

Serve = Callable[..., Served]


@pytest.mark.parametrize("size", [0, 1, 5, 16_384, 65_536, 1 << 20, 5_000_000])
def test_a_request_comes_back_whole(echo: Served, size: int) -> None:
    """Whatever its size beside frames and windows."""
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    with echo.channel(None, ("grpc.max_receive_message_length", -1)) as channel:
        assert channel.unary_unary(ECHO)(content, timeout=TIMEOUT_S) == content


def test_a_failure_is_trailers_alone(echo: Served) -> None:
    """Failures have their message percent-encoded and their details in base64 without padding, as clients read them."""
    with echo.channel() as channel, pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(ECHO)(b"bad", timeout=TIMEOUT_S)
    assert failed.value.code().value[0] == code_pb2.INVALID_ARGUMENT
    assert failed.value.details() == "naïve: 100 %\n"
    assert dict(cast("grpc.Call", failed.value).trailing_metadata()) == {"grpc-status-details-bin": b"\x08\x03"}
    with Raw(echo.port) as raw:
        response = raw.echo(b"bad")
        raw.over(response)
    assert not response.content
    assert response.headers[":status"] == "200"
    assert response.message == "na%C3%AFve: 100 %25%0A"
    assert response.headers["grpc-status-details-bin"] == "CAM"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (None, "empty"),
        (b"\0\0\0", "malformed"),
        (framed(b"whole")[:-1], "malformed"),
        (b"\0\0\0\0\1", "malformed"),
        (framed(b"one", b"another"), "malformed"),
        (framed(b"one") + b"\0", "malformed"),
        (b"\0\xff\xff\xff\xff", "large"),
        (b"\1\0\0\0\1x", "malformed"),
    ],
)
def test_what_is_no_request_is_refused(echo: Served, content: bytes | None, kind: str) -> None:
    """Missing, malformed and oversized requests are refused with a status, and counted once."""
    with Raw(echo.port) as raw:
        response = raw.call(ECHO, content)
        raw.over(response)
    assert (response.status, response.message) == (str(STATUSES[kind][0]), STATUSES[kind][1])
    echo.let_go()
    assert echo.count() == [(0, STATUSES[kind][0], kind)]


def test_a_second_message_is_refused_before_the_call_has_closed(serve: Serve) -> None:
    """A second message ends its call at once, so that what a caller sends after its request isn't kept."""
    served = serve()
    with Raw(served.port) as raw:
        response = raw.echo(b"one", ends=False)
        [taken] = served.take_messages()
        raw.send(response, framed(b"another"))
        raw.over(response)
        assert response.status == str(STATUSES["malformed"][0])
        assert served.look(1, TIMEOUT_S) == ([], [taken.id])
        served.transport.answer([taken.id], [b"late"])
        raw.over(raw.call("/t.T/No"))  # it goes on


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("content-type", "application/json")], "415"),
        ([("content-type", "application/grpcx")], "415"),
        ([(":method", "GET")], "405"),
    ],
)
def test_what_is_no_grpc_gets_a_status_of_http(echo: Served, headers: list[tuple[str, str]], status: str) -> None:
    """Requests of another content type or method get an HTTP status, and are neither counted nor kept."""
    with Raw(echo.port) as raw:
        response = raw.call(ECHO, framed(b"x"), headers=headers)
        raw.over(response)
        assert response.headers == {":status": status}
        echo.let_go()
    assert echo.count() == []


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"])
def test_content_types_of_grpc(echo: Served, kind: str) -> None:
    """All that the protocol names are taken."""
    with Raw(echo.port) as raw:
        response = raw.call(ECHO, framed(b"x"), headers=[("content-type", kind)])
        raw.over(response)
    assert (response.status, response.content) == ("0", framed(b"x"))


@pytest.mark.parametrize("path", ["/t.T/No", "/", "/t.T/Echo/", "/grpc.health.v1.Health/List"])
def test_unknown_methods(echo: Served, path: str) -> None:
    """UNIMPLEMENTED, and counted as no method's."""
    with Raw(echo.port) as raw:
        response = raw.call(path, framed(b"x"))
        raw.over(response)
    assert response.status == str(STATUSES["unknown"][0])
    assert echo.count() == [(-1, STATUSES["unknown"][0], "unknown")]


def test_an_answer_may_come_before_the_caller_has_closed(echo: Served) -> None:
    """A caller who is answered early is told to send no more by a reset without an error."""
    with Raw(echo.port) as raw:
        response = raw.echo(b"early", ends=False)
        raw.over(response)
        raw.wait(lambda: response.reset is not None)
        assert (response.status, response.content, response.reset) == ("0", framed(b"early"), 0)
        echo.let_go()


def test_answers_to_nobody_are_ignored(serve: Serve) -> None:
    """Ids that never were, and those that were answered."""
    served = serve()
    with Raw(served.port) as raw:
        response = raw.echo(b"x")
        [taken] = served.take_messages()
        served.transport.answer([999, taken.id, taken.id], [b"a", b"b", b"c"])
        served.transport.fail([taken.id, 999], [(13, "", b"")] * 2)
        raw.over(response)
    assert (response.status, response.content) == ("0", framed(b"b"))
    assert served.count() == []


def test_arguments_that_do_not_fit_each_other_raise(serve: Serve) -> None:
    """A mistake of ours is said, and nothing is answered by it."""
    served = serve()
    with pytest.raises(ValueError, match="as many contents"):
        served.transport.answer([1], [])
    with pytest.raises(ValueError, match="as many statuses"):
        served.transport.fail([1, 2], [(1, "", b"")])

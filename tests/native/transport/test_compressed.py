"""Requests that come compressed: by gzip or not at all, and never larger than they say."""

import gzip
import struct
from collections.abc import Callable

import grpc
import pytest

from tests.support.until import TIMEOUT_S, until

from .raw import ECHO, Raw, framed
from .served import ROW, STATUSES, Served

Serve = Callable[..., Served]
GZIP = [("grpc-encoding", "gzip")]


@pytest.mark.parametrize("path", [ECHO, ROW])
def test_gzip_in_identity_out(echo: Served, path: str) -> None:
    """Messages compressed by gzip, small and large, are read, and their answers come uncompressed."""
    with echo.channel() as channel:
        for content in (b"", b"x", b"gzip " * 100_000):
            if path == ECHO:
                answers = [channel.unary_unary(ECHO)(content, timeout=TIMEOUT_S, compression=grpc.Compression.Gzip)]
            else:
                row = channel.stream_stream(ROW)
                answers = list(row(iter([content]), timeout=TIMEOUT_S, compression=grpc.Compression.Gzip))
            assert answers == [content]
    with Raw(echo.port) as raw:
        response = raw.call(path, framed(gzip.compress(b"x" * 1000), flag=1), headers=GZIP)
        raw.over(response)
    assert response.content == framed(b"x" * 1000)
    assert response.headers["grpc-accept-encoding"] == "identity,gzip"


def test_other_encodings_are_refused_with_what_is_taken(echo: Served) -> None:
    """UNIMPLEMENTED; a message that isn't compressed passes whatever was announced."""
    with Raw(echo.port) as raw:
        for encoding in ("deflate", "snappy", "gzip2", ""):
            refused = raw.call(ECHO, framed(b"x", flag=1), headers=[("grpc-encoding", encoding)])
            plain = raw.call(ECHO, framed(b"x"), headers=[("grpc-encoding", encoding)])
            raw.over(refused, plain)
            assert refused.status == str(STATUSES["compressed"][0])
            assert refused.headers["grpc-accept-encoding"] == "identity,gzip"
            assert plain.status == "0"


WHOLE = gzip.compress(b"a sentence " * 50)


@pytest.mark.parametrize("path", [ECHO, ROW])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"no gzip, of some length", id="noise"),
        pytest.param(WHOLE[:-5], id="cut off"),
        pytest.param(WHOLE + b"more", id="more"),
        pytest.param(WHOLE + WHOLE, id="two members"),
        pytest.param(WHOLE[:20] + b"\xff" * 5 + WHOLE[25:], id="broken"),
        pytest.param(WHOLE[:-4] + struct.pack("<I", 3), id="says less"),
        pytest.param(WHOLE[:-4] + struct.pack("<I", 60_000), id="says more"),
        pytest.param(WHOLE[:-4] + struct.pack("<I", 2**32 - 1), id="says far more"),
    ],
)
def test_what_is_no_gzip_is_refused(echo: Served, path: str, content: bytes) -> None:
    """The call alone, counted once; nobody sees it."""
    with Raw(echo.port) as raw:
        response = raw.call(path, framed(content, flag=1), headers=GZIP)
        raw.over(response)
        assert response.status in (str(STATUSES["malformed"][0]), str(STATUSES["inflated"][0]))
        echo.let_go()
        raw.over(raw.echo(b"x"))
    assert [message.content for message in echo.messages] == [b"x"]
    assert [(method, code) for method, code, _ in echo.count()] == [(int(path == ROW), int(response.status))]


@pytest.mark.parametrize("path", [ECHO, ROW])
@pytest.mark.parametrize("bound", ["max_message_bytes", "max_inflated_bytes"])
def test_a_bomb_is_refused_by_what_it_says(serve: Serve, path: str, bound: str) -> None:
    """A message that says it inflates past either bound is refused, and nothing of it is inflated."""
    served = serve(**{bound: 1 << 20}).answering()
    with Raw(served.port) as raw:
        refused = raw.call(path, framed(gzip.compress(bytes((1 << 20) + 1)), flag=1), headers=GZIP)
        fits = raw.call(path, framed(gzip.compress(bytes(1 << 20)), flag=1), headers=GZIP)
        raw.over(refused, fits)
        assert refused.message == STATUSES["inflated"][1]
        assert fits.status == "0"


@pytest.mark.parametrize("path", [ECHO, ROW])
def test_what_says_more_than_gzip_can_hold_takes_no_room(serve: Serve, path: str) -> None:
    """A few bytes that say they are millions are refused as they come; within the ratio, they wait for their turn."""
    served = serve()
    content = WHOLE[:-4]
    most = (len(content) + 4) * 1032  # deflate's bound
    with Raw(served.port) as raw:
        refused = raw.call(path, framed(content + struct.pack("<I", most + 1), flag=1), headers=GZIP)
        until(lambda: served.figure("calls_begun") and (served.figure("waiting") or not served.figure("calls")))
        assert (served.figure("waiting"), served.figure("held_bytes")) == (0, 0)
        raw.over(refused)
        assert refused.message == STATUSES["malformed"][1]
        raw.call(path, framed(content + struct.pack("<I", most), flag=1), headers=GZIP)
        until(lambda: served.figure("waiting") == 1)


@pytest.mark.parametrize("path", [ECHO, ROW])
def test_nothing_may_come_compressed_where_nobody_needs_it(serve: Serve, path: str) -> None:
    """UNIMPLEMENTED, and the answer says what is taken; what isn't compressed passes whatever was announced."""
    served = serve(max_inflated_bytes=0).answering()
    with Raw(served.port) as raw:
        refused = raw.call(path, framed(gzip.compress(b"x"), flag=1), headers=GZIP)
        plain = raw.call(path, framed(b"x"), headers=GZIP)
        raw.over(refused, plain)
    assert refused.message == STATUSES["compressed"][1]
    assert refused.headers["grpc-accept-encoding"] == "identity"
    assert plain.content == framed(b"x")


def test_what_waits_counts_as_large_as_it_will_be(serve: Serve) -> None:
    """A thousand bytes can't become a million unbounded; turns are by what is inflated, too."""
    served = serve(held_bytes=3_000_000)
    with Raw(served.port) as raw, Raw(served.port) as other:
        bomb = framed(gzip.compress(bytes(1_000_000)), flag=1)
        calls = [raw.call(ECHO, bomb, headers=GZIP) for _ in range(3)]
        until(lambda: served.figure("held_bytes") == 3 * (1_000_000 + 256))
        refused = raw.call(ECHO, bomb, headers=GZIP)
        raw.over(refused)
        assert refused.message == "it is room"
        other.echo(b"x" * 1000)
        other.echo(b"y" * 1000)
        until(lambda: served.figure("waiting") == 5)
        sizes = [len(message.content) for message in served.take_messages(4)]
        assert sizes.count(1000) == 2
        assert sizes[-1] == 1_000_000
        assert not any(call.is_over for call in calls)


def test_sentences_of_compressed_messages_count_in_the_window(serve: Serve) -> None:
    """Sentences of a compressed message are counted once it is inflated, and fill the window as others do."""
    served = serve(window_sentences=3)
    with Raw(served.port) as raw:
        sentences = framed(gzip.compress(b"\x0a\x01x" * 5), flag=1)
        response = raw.call(ROW, sentences, headers=GZIP, ends=False)
        [first] = served.take_messages()
        raw.send(response, sentences, ends=True)
        raw.over(raw.call("/t.T/No"))
        assert served.look(1, 0.0) == ([], [])
        served.transport.answer([first.id], [b"1"])
        served.transport.answer([served.take_messages()[0].id], [b"2"])
        raw.over(response)
    assert response.content == framed(b"1", b"2")

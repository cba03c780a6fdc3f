"""Both clients: chunks, indexes that count in the caller's own list, errors that say what to do."""

import inspect
import warnings
from typing import Any

import pytest

from bothends import (
    AsyncClient,
    Client,
    ConnectionFailedError,
    DeadlineError,
    RequestError,
    Retry,
    SentenceError,
    TruncationWarning,
)
from bothends.server.server import Server
from tests.support.awaited import Awaited

Either = type[Client] | type[Awaited]
ONCE = Retry(attempts=1)


def test_both_are_the_same_to_look_at() -> None:
    """Methods, arguments and their defaults; only the words `async` and `await` differ, and what makes a stream."""
    theirs = [name for name in vars(AsyncClient) if not name.startswith("_")]
    assert theirs == [name for name in vars(Client) if not name.startswith("_")]
    for name in ["__init__", *theirs]:
        here, there = (inspect.signature(getattr(kind, name)) for kind in (Client, AsyncClient))
        if name.endswith("_stream"):
            here, there = (
                each.replace(
                    return_annotation=str,
                    parameters=[
                        one.replace(annotation=str) if one.name == "sentences" else one
                        for one in each.parameters.values()
                    ],
                )
                for each in (here, there)
            )
        assert there == here, name


def test_many_sentences_are_sent_in_chunks(each_client: Client | Awaited) -> None:
    """More than one request may hold come back as one array, in order."""
    sentences = [f"sentence number {number}" for number in range(1000)]
    rows = each_client.encode(sentences)
    assert rows.shape == (1000, 512)
    for index in (0, 255, 256, 999):
        assert rows[index].tobytes() == each_client.encode([sentences[index]])[0].tobytes()


def test_a_bad_sentence_is_named_in_the_callers_count(each_client: Client | Awaited) -> None:
    """Indexes count on in the second chunk."""
    sentences = ["fine"] * 400
    sentences[300] = " "
    with pytest.raises(SentenceError, match=r"sentences\[300\] is empty") as raised:
        each_client.encode(sentences)
    assert raised.value.index == 300


def test_no_deadline_in_sight_is_none(each_client: Client | Awaited) -> None:
    """An infinite timeout waits as long as it takes."""
    assert each_client.encode(["patience"], timeout_s=float("inf")).shape == (1, 512)
    assert each_client.model(timeout_s=1e12).name == "english"


def test_a_lone_surrogate_is_named_before_anything_is_sent(each_client: Client | Awaited) -> None:
    """Half a surrogate pair has no UTF-8, so it can't be sent at all."""
    with pytest.raises(SentenceError, match=r"sentences\[1\] is no valid Unicode"):
        each_client.encode(["fine", "half \ud83d a pair"])


def test_no_sentences_have_no_rows(each_client: Client | Awaited) -> None:
    """As sentence-transformers has it; `embed`, whose answer says more than rows, tells the mistake."""
    assert each_client.encode([]).shape == (0, 512)
    assert each_client.encode([], dimensions=128, encoding="sign_bits").shape == (0, 16)
    with pytest.raises(RequestError, match="100 dimensions can't be had; this model offers"):
        each_client.encode([], dimensions=100)
    with pytest.raises(RequestError, match="no sentences"):
        each_client.embed([])


def test_one_string_is_one_row(each_client: Client | Awaited) -> None:
    """A string is a sequence of strings; embedding its letters is never what was meant."""
    row = each_client.encode("there will be dragons")
    assert row.shape == (512,)
    assert row.tobytes() == each_client.encode(["there will be dragons"]).tobytes()
    with pytest.raises(TypeError, match="pass a list"):
        each_client.embed("there will be dragons")


@pytest.mark.parametrize("wrong", [None, float("nan"), b"a"], ids=repr)
def test_what_is_no_string_is_named(each_client: Client | Awaited, wrong: Any) -> None:
    """A table's empty cells come as None or NaN; they are told as `Encoder` tells them."""
    with pytest.raises(TypeError, match=rf"sentences\[1\] is of type {type(wrong).__name__}, not a string"):
        each_client.embed(["a", wrong])
    with pytest.raises(TypeError, match=rf"sentences\[1\] is of type {type(wrong).__name__}, not a string"):
        list(each_client.encode_stream(["a", wrong]))


def test_a_cut_sentence_warns(each_client: Client | Awaited) -> None:
    """Sentences are never cut silently: encode warns, embed marks them."""
    sentences = ["short", "word " * 300]
    with pytest.warns(TruncationWarning, match="1 of 2 sentences"):
        each_client.encode(sentences)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = each_client.embed(sentences)
    assert (found.truncated, found.token_counts) == ([False, True], [1, 256])
    assert found.model_version == each_client.model().version


def test_the_deadline_bounds_the_whole_call(each_client: Client | Awaited) -> None:
    with pytest.raises(DeadlineError):
        each_client.encode(["word " * 250] * 1000, timeout_s=0.05)
    with pytest.raises(DeadlineError):
        each_client.encode(["word"], timeout_s=0)


def test_no_server_is_one_line_that_names_the_address(either: Either) -> None:
    with either("127.0.0.1:1", retry=ONCE) as lonely, pytest.raises(ConnectionFailedError, match=r"127\.0\.0\.1:1"):
        lonely.encode(["anyone there?"])


def test_a_request_over_the_message_limit_is_the_callers_error(each_client: Client | Awaited) -> None:
    """gRPC calls it RESOURCE_EXHAUSTED; trying again would never help."""
    with pytest.raises(RequestError, match="too large"):
        each_client.encode(["x" * 5_000_000])


def test_a_closed_client_says_so(server: Server, either: Either) -> None:
    with either(f"127.0.0.1:{server.port}") as client:
        client.encode(["in time"])
        client.close()
        with pytest.raises(ValueError, match="closed"):
            client.encode(["too late"])

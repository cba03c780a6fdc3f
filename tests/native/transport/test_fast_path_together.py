"""Small requests that are computed together without Python: whose are, and that none changes another's answer."""

from collections.abc import Callable

import numpy as np
import pytest

from bothends.v1.embedding_pb2 import EmbedRequest, EmbedResponse
from tests.support.until import TIMEOUT_S, until

from .fast import encoder_of, path_of
from .raw import ECHO, Raw, framed, several
from .served import Served


@pytest.mark.parametrize("max_together", [8, 16])
def test_a_modest_caller_is_not_computed_beside_a_thousand_calls(
    serve: Callable[..., Served], max_together: int
) -> None:
    """A batch ends with all that one caller asked for, whoever came before; those of another, of whom more waits than
    fits, are in the next, and in small ones while the former may ask again.
    """
    served = serve(max_connection_requests=200)
    path = path_of(served, encoder_of(), max_together=max_together)
    content = EmbedRequest(sentences=["a"]).SerializeToString()
    with served.channel() as greedy, served.channel() as modest:
        known = modest.unary_unary(ECHO).future(content, timeout=TIMEOUT_S)  # its connection's beginning is past then
        until(lambda: served.figure("waiting") == 1)
        path.take_messages(0, 0.0, 0, 1)
        assert known.result()
        path.served()
        large = EmbedRequest(sentences=["a" * 500_000]).SerializeToString()
        taken = greedy.unary_unary(ECHO).future(large, timeout=TIMEOUT_S)
        until(lambda: served.figure("waiting") == 1)
        first = served.take_messages(1)  # so that the others' turn is later than a newcomer's, on any machine
        calls = [greedy.unary_unary(ECHO).future(content, timeout=TIMEOUT_S) for _ in range(128)]
        until(lambda: served.figure("waiting") == 128)
        for _ in range(2):
            again = modest.unary_unary(ECHO).future(content, timeout=TIMEOUT_S)
            until(lambda: served.figure("waiting") == 129)
            path.take_messages(0, 0.0, 0, 1)
            assert [len(batch.counts) for batch in path.served()] == [1]
            assert again.result()
        served.transport.answer([message.id for message in first], [b""])
        assert taken.result() == b""
        while not calls[-1].done():
            path.take_messages(0, 0.1, 0, 1)
        assert [len(batch.counts) for batch in path.served()][:7] == [max_together // 2] * 7


def test_a_network_with_a_call_is_not_computed_beside_one_of_many_callers(serve: Callable[..., Served]) -> None:
    """However few calls each of those has: it isn't with any of them, and their batches are small while it may ask."""
    served, calls, max_together = serve(), 48, 8
    path = path_of(served, encoder_of(), max_together=max_together)
    content = framed(EmbedRequest(sentences=["a"]).SerializeToString())
    with (
        Raw(served.port, source="127.0.0.2") as modest,
        Raw(served.port, source="127.0.0.3") as first,
        several(served.port, calls, source="127.0.0.3") as greedy,
    ):
        first.call(ECHO, framed(bytes(500_000)))
        taken = served.take_messages(1)  # so that its network's turn is later than the other's, on any machine
        asked = [each.call(ECHO, content) for each in greedy]
        until(lambda: served.figure("waiting") == calls)
        for _ in range(2):
            call = modest.call(ECHO, content)
            until(lambda: served.figure("waiting") == calls + 1)
            path.take_messages(0, 0.0, 0, 1)
            assert [len(batch.counts) for batch in path.served()] == [1]
            modest.over(call)
        while served.figure("waiting"):
            path.take_messages(0, 0.0, 0, 1)
        assert max(len(batch.counts) for batch in path.served()) == max_together // 2
        for each, of in zip(greedy, asked, strict=True):
            each.over(of)
        served.transport.answer([message.id for message in taken], [b""])


def test_a_thousand_calls_are_computed_together_where_nobody_else_asks(serve: Callable[..., Served]) -> None:
    """As soon as so many batches have gone by without a caller who had a single one."""
    served = serve(max_connection_requests=400)
    path = path_of(served, encoder_of(), max_together=4)
    content = EmbedRequest(sentences=["a"]).SerializeToString()
    with served.channel() as greedy:
        calls = [greedy.unary_unary(ECHO).future(content, timeout=TIMEOUT_S) for _ in range(300)]
        until(lambda: served.figure("waiting") == 300)
        while not calls[-1].done():
            path.take_messages(0, 0.1, 0, 1)
        sizes = [len(batch.counts) for batch in path.served()]
    assert sizes == [2] * 64 + [4] * 43


def test_what_is_left_to_python_changes_nobody_elses_answer(serve: Callable[..., Served]) -> None:
    """Tokens that were read of a request before it was declined are in no batch; its company stays in one."""
    served, encoder = serve(), encoder_of()
    path = path_of(served, encoder)
    sentences = ["b b b Ω", "a", "  ", "man"]
    with served.channel() as channel:
        call = channel.unary_unary(ECHO)
        contents = [EmbedRequest(sentences=[sentence]).SerializeToString() for sentence in sentences]
        answers = [call.future(content, timeout=TIMEOUT_S) for content in contents]
        until(lambda: served.figure("waiting") == len(answers))
        taken = path.take_messages(64, 0.0, 1 << 20, 1)
        assert taken is not None
        assert sorted(message.content for message in taken.messages) == sorted(contents[::2])
        for answer, token in ((answers[1], 1), (answers[3], 4)):
            (found,) = EmbedResponse.FromString(answer.result()).embeddings
            assert list(found.values) == encoder.run(np.array([token], np.int32), np.array([0, 1]))[0].tolist()
        served.transport.answer([message.id for message in taken.messages], [b"", b""])

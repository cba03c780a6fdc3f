"""Small requests that a Python callable computes: what it is given and must give, and what is left to others."""

import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from bothends_native import transport
from numpy.typing import NDArray

from bothends.batching.budgets import Budgets
from bothends.core.lent import lend
from bothends.core.loaded import LoadedModel
from bothends.model.bundle import Bundle
from bothends.settings import EmbedderSettings
from bothends.v1.embedding_pb2 import ENCODING_SIGN_BITS, EmbedRequest, EmbedResponse
from tests.support.until import TIMEOUT_S, until

from .fast import EMPTY, path_of
from .raw import ECHO
from .served import Served

DIMENSION = 2
Ids = NDArray[np.int32]
Offsets = NDArray[np.int64]
Rows = NDArray[np.float32]


class Called:
    """A callable that gives each sentence its sum and length, and keeps copies of what it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[int], list[int]]] = []
        self.answers: Callable[[Rows], bool] = lambda _: True

    def share(self) -> object:
        return transport.called_encoder(self, DIMENSION)

    def __call__(self, token_ids: Ids, offsets: Offsets, rows: Rows) -> bool:
        assert (token_ids.dtype, offsets.dtype) == (np.dtype(np.int32), np.dtype(np.int64))
        assert rows.dtype == np.float32
        assert rows.shape == (len(offsets) - 1, DIMENSION)
        self.calls.append((token_ids.tolist(), offsets.tolist()))
        rows[:, 0] = [token_ids[start:end].sum() for start, end in pairwise(offsets)]
        rows[:, 1] = np.diff(offsets)
        return self.answers(rows)


@pytest.fixture
def served(serve: Callable[..., Served]) -> Iterator[Served]:
    made = serve()
    yield made
    made.transport.stop(0)


def taken_of(served: Served, path: transport.FastPath, *sentences: str) -> tuple[list[bytes], list[bytes]]:
    """Return the answers to requests of one sentence each, which wait together, and what was left to Python."""
    with served.channel() as channel:
        contents = [EmbedRequest(sentences=[sentence]).SerializeToString() for sentence in sentences]
        asked = [channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S) for content in contents]
        until(lambda: served.figure("waiting") == len(asked))
        left = list[bytes]()
        while served.figure("waiting"):  # a batch has fewer where what came before took long, as on a busy machine
            taken = path.take_messages(64, 0.0, 1 << 20, 1)
            assert taken is not None
            contents = [message.content for message in taken.messages]
            served.transport.answer([message.id for message in taken.messages], contents)
            left += contents
        return [call.result() for call in asked], left


def test_it_is_called_once_for_all_and_writes_their_rows(served: Served) -> None:
    called = Called()
    answers, left = taken_of(served, path_of(served, called), "a b", "man", "b b b")
    assert left == []
    ((ids, offsets),) = called.calls
    assert (sorted(ids), sorted(np.diff(offsets).tolist())) == ([1, 2, 2, 2, 2, 4], [1, 2, 3])
    rows = [list(EmbedResponse.FromString(answer).embeddings[0].values) for answer in answers]
    assert rows == [[3.0, 2.0], [4.0, 1.0], [6.0, 3.0]]


def test_what_it_writes_is_the_memory_that_is_answered_from(served: Served) -> None:
    """Its arrays are views: ids are read-only, and the callable's own copy of rows would answer nobody."""
    called, flags = Called(), list[tuple[bool, bool]]()

    def answers(rows: Rows) -> bool:
        flags.append((rows.flags.owndata, rows.flags.writeable))
        return True

    called.answers = answers
    taken_of(served, path_of(served, called), "a")
    assert flags == [(False, True)]


def test_a_sign_bit_is_1_above_0(served: Served) -> None:
    """Of 0 it is 0, as Python packs it."""
    called = Called()

    def answers(rows: Rows) -> bool:
        rows[:] = [0.0, 1.0]
        return True

    path, called.answers = path_of(served, called), answers
    with served.channel() as channel:
        content = EmbedRequest(sentences=["a"], encoding=ENCODING_SIGN_BITS).SerializeToString()
        answer = channel.unary_unary(ECHO).future(content, timeout=TIMEOUT_S)
        until(lambda: served.figure("waiting") == 1)
        assert path.take_messages(0, 0.0, 0, 1) is not None
        (found,) = EmbedResponse.FromString(answer.result()).embeddings
        assert found.sign_bits == np.packbits([False, True]).tobytes()


@pytest.mark.parametrize("fault", ["raises", "not finite", "says nothing"])
def test_where_it_fails_all_are_left_to_python_and_it_is_called_again(served: Served, fault: str) -> None:
    """Python finds the one sentence that is to blame."""
    called = Called()

    def answers(rows: Rows) -> bool:
        if fault == "raises":
            raise RuntimeError("the device is lost")
        rows[0, 1] = np.nan
        return True if fault == "not finite" else "yes"  # type: ignore[return-value]  # no bool is no answer

    path, called.answers = path_of(served, called), answers
    answers_of, left = taken_of(served, path, "a", "b")
    assert sorted(answers_of) == sorted(left)
    assert path.served() == []
    called.answers = lambda _: True
    assert taken_of(served, path, "a")[1] == []
    assert len(called.calls) == 2


def test_once_it_says_that_its_model_serves_no_more_it_is_not_called_again(served: Served) -> None:
    called = Called()
    called.answers = lambda _: False
    path = path_of(served, called)
    for _ in range(2):
        assert len(taken_of(served, path, "a", "b")[1]) == 2
    assert len(called.calls) == 1


def test_onnxruntime_computes_the_bits_of_each_sentence_alone(served: Served, toy_bundle: Bundle) -> None:
    """From text to vector, whatever each is batched with; once the model is withdrawn, Python has what to say."""
    model = LoadedModel.load(toy_bundle, EmbedderSettings(device="cpu", engine="onnxruntime"))
    budgets = Budgets(max_batch_rows=2, max_batch_tokens=64, max_queue_tokens=1000, overhead_rows=1.5)
    lent = lend(model, budgets, max_together=16, short_bytes=4096, max_runs=1)
    assert lent is not None
    assert lent.called is not None
    named = transport.NamedModel(names=[""], shown="", version="1", dimension=model.dimension, sizes=model.config.sizes)
    path = transport.FastPath(
        served.transport,
        {0: transport.Codec.embed(models=[named], empty=EMPTY)},
        (
            transport.LentModel(
                lent.tokenizer,
                transport.called_encoder(lent.called, model.dimension),
                max_tokens=model.config.max_tokens,
            ),
        ),
        max_small_sentences=3,
        max_bytes=200,
        max_together=lent.max_together,
        max_bytes_together=lent.max_bytes_together,
        max_runs=lent.max_runs,
        max_sentences=3,
        max_sentence_bytes=200,
        max_request_tokens=1000,
    )
    texts = ["a dog", "there will be dragons there", "a man", "dragons"]
    answers, left = taken_of(served, path, *texts)
    assert left == []
    found = [np.array(EmbedResponse.FromString(answer).embeddings[0].values, np.float32) for answer in answers]
    assert [row.tobytes() for row in found] == [
        model.run([tokens.ids]).tobytes() for tokens in model.tokenizer.encode(texts)
    ]
    assert len(lent.called.records()) > 1
    model.withdraw("a test says so")
    assert len(taken_of(served, path, *texts)[1]) == len(texts)


def test_beyond_the_runs_at_once_others_read_and_leave_the_rest(served: Served) -> None:
    """A thread looks at the sockets while another computes, and takes what has its turn and is for Python: no small
    request.
    """
    called, entered, released = Called(), threading.Event(), threading.Event()

    def answers(_: Rows) -> bool:
        entered.set()
        return released.wait(TIMEOUT_S)

    called.answers = answers
    path = path_of(served, called, max_runs=1)
    with served.channel() as channel:
        small, large = (EmbedRequest(sentences=["a"] * count).SerializeToString() for count in (1, 4))
        ask = channel.unary_unary(ECHO)
        first = ask.future(small, timeout=TIMEOUT_S)
        runs = threading.Thread(target=path.take_messages, args=(64, TIMEOUT_S, 1 << 20, 1))
        runs.start()
        assert entered.wait(TIMEOUT_S)
        third = ask.future(large, timeout=TIMEOUT_S)
        until(lambda: served.figure("waiting") == 1)
        second = ask.future(small, timeout=TIMEOUT_S)
        until(lambda: served.figure("waiting") == 2)
        taken = path.take_messages(64, 0.0, 1 << 20, 2)
        assert taken is not None
        assert [message.content for message in taken.messages] == [large]
        served.transport.answer([taken.messages[0].id], [large])
        assert third.result() == large
        assert (len(called.calls), second.done()) == (1, False)
        released.set()
        assert first.result()
        assert second.result()  # by the thread that has run, as soon as it has a place
        served.transport.wake()
        runs.join(TIMEOUT_S)
        assert not runs.is_alive()

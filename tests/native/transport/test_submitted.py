"""Sentences that Python has read and submits: they wait in their caller's turn, and their rows come back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from time import monotonic

import numpy as np
import pytest
from bothends_native import transport
from numpy.typing import NDArray

from bothends.v1.embedding_pb2 import EmbedRequest
from tests.support.until import TIMEOUT_S, gathered, until

from .fast import encoder_of, path_of
from .raw import ECHO, Raw, framed
from .served import Served
from .test_called_encoder import Called, Rows

PLAIN = EmbedRequest(sentences=["a man"]).SerializeToString()
ODD = PLAIN + b"\xa0\x06\x01"
"""A request with a field that nobody knows, which Python reads."""
OTHERS, ODDS = "127.0.0.2", "127.0.0.3"
COSTS_S = 0.2
DONE, FAILED, LATE, REPLACED = (
    transport.Outcome.done,
    transport.Outcome.failed,
    transport.Outcome.late,
    transport.Outcome.replaced,
)


class Stepped:
    """A transport whose only worker is the test. A row is its sentence's sum and length."""

    def __init__(self, served: Served, callers: ExitStack) -> None:
        self.served = served
        self.encoder = Called()
        self.path = path_of(served, self.encoder)
        self._callers = callers

    def ask(self, content: bytes, *, source: str = ODDS) -> Raw:
        """Send a request from this address; it waits when this returns."""
        before = self.served.figure("waiting")
        raw = self._callers.enter_context(Raw(self.served.port, source=source))
        raw.call(ECHO, framed(content))
        until(lambda: self.served.figure("waiting") == before + 1)
        return raw

    def step(self, path: transport.FastPath | None = None) -> transport.Batch:
        """Take once."""
        batch = (path or self.path).take_messages(64, 0, 1 << 20, 1)
        assert batch is not None
        return batch

    def taken(self, content: bytes = ODD, *, source: str = ODDS) -> int:
        """Ask; returns the id of the message that Python has got."""
        self.ask(content, source=source)
        (message,) = self.step().messages
        return message.id

    def submit(self, message: int, *sentences: Sequence[int], deadline: float = np.inf, spent: float = 0.0) -> bool:
        offsets = np.cumsum([0, *map(len, sentences)]).astype(np.int64)
        ids = np.concatenate([np.asarray(ids, np.int32) for ids in sentences])
        return self.path.submit(message, 0, ids, offsets, deadline=deadline, spent=spent)

    def returned(self, path: transport.FastPath | None = None) -> dict[int, transport.Returned]:
        """Take until nothing waits; returns the submissions that have come back."""
        found = dict[int, transport.Returned]()
        while True:
            batch = self.step(path)
            found |= {each.id: each for each in batch.returned}
            if not self.served.figure("waiting"):
                return found


@pytest.fixture
def stepped(serve: Callable[..., Served]) -> Iterator[Stepped]:
    with ExitStack() as callers:
        yield Stepped(serve(passes_s=TIMEOUT_S), callers)


def numbers(rows: NDArray[np.float32] | None) -> list[list[float]]:
    assert rows is not None
    assert rows.dtype == np.float32
    found: list[list[float]] = rows.tolist()
    return found


def test_rows_come_back_in_the_order_of_the_sentences(stepped: Stepped) -> None:
    """Of any number of sentences, which are cut into slices; the message can then be answered."""
    asked = stepped.ask(ODD)
    (message,) = stepped.step().messages
    sentences = [[1 + index % 5] * (1 + index % 3) for index in range(40)]
    assert stepped.submit(message.id, *sentences)
    found = stepped.returned()[message.id]
    assert (found.outcome, found.tokens) == (DONE, sum(map(len, sentences)))
    assert numbers(found.rows) == [[sum(ids), len(ids)] for ids in sentences]
    assert stepped.served.figure("making_bytes") == 0
    stepped.served.transport.answer([message.id], [b"written by Python"])
    (response,) = asked.responses.values()
    asked.over(response)
    assert (response.status, response.content) == ("0", framed(b"written by Python"))


def test_they_are_computed_with_others_sentences(stepped: Stepped) -> None:
    """A plain request and a submission have one run."""
    message = stepped.taken()
    assert stepped.submit(message, [1, 2])
    stepped.ask(PLAIN, source=OTHERS)
    assert list(stepped.returned()) == [message]
    ((ids, offsets),) = stepped.encoder.calls
    assert (sorted(ids), len(offsets) - 1) == ([1, 1, 2, 4], 2)


def test_what_python_used_is_paid_as_it_submits(stepped: Stepped) -> None:
    """A network that has used much has its sentences computed after all that others have asked for."""
    message = stepped.taken()
    for _ in range(20):
        stepped.ask(PLAIN, source=OTHERS)
    assert stepped.submit(message, [1] * 5, spent=COSTS_S)
    found = stepped.returned()
    assert list(found) == [message]
    sizes = [sorted(np.diff(offsets).tolist()) for _, offsets in stepped.encoder.calls]
    assert 5 in sizes[-1]
    assert all(5 not in size for size in sizes[:-1])
    assert len(sizes) > 1


@pytest.mark.parametrize(("deadline", "outcome"), [(-1.0, LATE), (TIMEOUT_S, DONE)])
def test_nothing_is_computed_after_its_deadline(stepped: Stepped, deadline: float, outcome: transport.Outcome) -> None:
    message = stepped.taken()
    assert stepped.submit(message, [1], deadline=monotonic() + deadline)
    found = stepped.returned()[message]
    assert (found.outcome, found.rows is None) == (outcome, outcome == LATE)
    assert len(stepped.encoder.calls) == (outcome == DONE)


def test_a_model_that_took_over_computes_no_token_ids_of_the_one_before(stepped: Stepped) -> None:
    """They mean other words to it; Python begins anew."""
    message = stepped.taken()
    assert stepped.submit(message, [1])
    other = Called()
    found = stepped.returned(path_of(stepped.served, other))[message]
    assert (found.outcome, found.rows) == (REPLACED, None)
    assert (stepped.encoder.calls, other.calls) == ([], [])
    assert stepped.served.figure("making_bytes") == 0


def test_of_a_run_that_fails_each_is_tried_alone(stepped: Stepped) -> None:
    """Only who is to blame fails."""

    def refuses_nines(rows: Rows) -> bool:
        if 9 in rows[:, 0]:
            raise ValueError("nine")
        return True

    stepped.encoder.answers = refuses_nines
    messages = [stepped.taken() for _ in range(3)]
    for message, token in zip(messages, (1, 9, 2), strict=True):
        assert stepped.submit(message, [token])
    found = stepped.returned()
    assert [found[message].outcome for message in messages] == [DONE, FAILED, DONE]
    assert stepped.served.figure("making_bytes") == 0


def test_who_leaves_is_computed_for_no_more(stepped: Stepped) -> None:
    """Python learns of it, and what the rows would have held is free again."""
    asked = stepped.ask(ODD)
    (message,) = stepped.step().messages
    assert stepped.submit(message.id, [1], [2])
    assert stepped.served.figure("making_bytes") > 0
    asked.socket.close()
    over = list[int]()
    until(lambda: gathered(over, stepped.step().over))
    assert over == [message.id]
    assert (stepped.encoder.calls, stepped.served.figure("making_bytes")) == ([], 0)
    assert not stepped.submit(message.id, [1])


def test_what_waits_has_a_bound(serve: Callable[..., Served]) -> None:
    """Twice that of long requests in progress."""
    with ExitStack() as callers:
        stepped = Stepped(serve(passes_s=TIMEOUT_S, making_bytes=1000), callers)
        messages = [stepped.taken() for _ in range(3)]
        many = [[1]] * 300
        assert stepped.submit(messages[0], *many)
        with pytest.raises(transport.NoRoom):
            stepped.submit(messages[1], *many)
        assert stepped.returned()[messages[0]].outcome == DONE
        assert stepped.submit(messages[1], [1])


@pytest.mark.parametrize(
    ("ids", "offsets"), [([1], [0]), ([1], [0, 0]), ([1], [0, 2]), ([1, 2], [0, 2, 1]), ([1], [-1, 1])]
)
def test_offsets_that_do_not_fit_are_refused(stepped: Stepped, ids: list[int], offsets: list[int]) -> None:
    message = stepped.taken()
    with pytest.raises(ValueError, match=r"no token|no sentence"):
        stepped.path.submit(message, 0, np.array(ids, np.int32), np.array(offsets, np.int64))
    assert stepped.submit(message, [1])


def test_computing_gives_the_bits_of_the_engine(serve: Callable[..., Served]) -> None:
    """By the native encoder, as it computes a batch in Python."""
    encoder = encoder_of()
    with ExitStack() as callers:
        stepped = Stepped(serve(passes_s=TIMEOUT_S), callers)
        stepped.path = path_of(stepped.served, encoder)
        message = stepped.taken()
        assert stepped.submit(message, [1, 2], [4], [3, 2, 1])
        rows = stepped.returned()[message].rows
    expected = encoder.run(np.array([1, 2, 4, 3, 2, 1], np.int32), np.array([0, 2, 3, 6], np.int64))
    assert rows is not None
    assert rows.tobytes() == expected.tobytes()

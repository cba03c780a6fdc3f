"""Messages that wait, on a clock of the test's own."""

import pytest

from bothends.server.grpc.grpcio.line import Line
from bothends.server.grpc.grpcio.message_queue import GrpcioMessage
from tests.support.clock import Clock


def message(number: int, caller: int = 0) -> GrpcioMessage:
    return GrpcioMessage(number, 0, b"", None, (), caller, 0.0)


def line_of(messages: int, clock: Clock) -> Line:
    line = Line(clock)
    for number in range(messages):
        line.put(message(number))
    return line


def taken(line: Line, most: int) -> list[int]:
    return [message.id for message in line.take_messages(most, 1 << 20)]


def test_callers_take_turns() -> None:
    """Each has one message taken in its turn, oldest first; who has come last has their turn last."""
    line = Line()
    for number, caller in enumerate((7, 7, 7, 8, 9, 8)):
        line.put(message(number, caller))
    assert [taken(line, 2), taken(line, 2), taken(line, 9)] == [[0, 3], [4, 1], [5, 2]]
    assert not line


def test_turns_are_by_bytes() -> None:
    """Who sends ten times as much in each message has a tenth as many taken, as over the native transport."""
    line = Line()
    for number in range(40):
        line.put(message(number, 1)._replace(content=b"x" * 9_936))  # 10,000 with what a message counts for
        line.put(message(100 + number, 2)._replace(content=b"x" * 936))
    found = [found < 100 for found in taken(line, 22)]
    assert found.count(True) == 2


def test_a_message_that_is_over_is_not_taken() -> None:
    """Whoever takes messages is told of those that had been taken before."""
    line = Line()
    first, second = message(1), message(2)
    line.put(first)
    line.put(second)
    assert line.remove(first)
    assert not line.remove(first)
    assert (len(line), taken(line, 9)) == (1, [2])
    assert not line.remove(second)


def test_only_the_first_may_be_large() -> None:
    line = Line()
    for number, size in enumerate((100, 40, 40, 40)):
        line.put(message(number, number)._replace(content=b"x" * size))
    assert [[message.id for message in line.take_messages(9, 99)] for _ in range(3)] == [[0], [1, 2], [3]]


def test_a_message_waits_for_those_before_it() -> None:
    """The lag is what they are likely to take: their number, times the mean of those that were taken."""
    clock = Clock()
    line = line_of(200, clock)
    assert line.lag_s(0) == 0, "how long one takes isn't known yet"
    for _ in range(50):
        line.take_messages(2, 1 << 20)
        clock.now += 2.0
    assert line.lag_s(0) == pytest.approx(100 * 1.0, rel=0.02)
    assert line.lag_s(100) == pytest.approx(200 * 1.0, rel=0.02)
    line.take_messages(100, 1 << 20)
    assert line.lag_s(0) == 0


def test_idle_time_is_no_part_of_a_messages_time() -> None:
    """An hour without a message doesn't make the next ones look slow."""
    clock = Clock()
    line = line_of(50, clock)
    while line:
        line.take_messages(1, 1 << 20)
        clock.now += 1.0
    clock.now += 3600
    line.put(message(50))
    line.take_messages(1, 1 << 20)
    assert line.lag_s(1) < 2

"""Messages of streams that wait: asked when their share is there, in their order, and within bounds of bytes."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bothends.errors import OverloadedError, QuotaError
from bothends.observe.tracing import NO_SPAN
from bothends.server.context import CallContext
from bothends.server.fronts.bothends import waiting
from bothends.server.fronts.bothends.message import StreamMessage
from bothends.server.fronts.bothends.waiting import WaitingMessages
from bothends.server.quota import KeyAccount, Quota
from bothends.server.timer import Timer
from tests.support.calls import HandHeldCall
from tests.support.clock import Clock
from tests.support.streams import request

EMBEDDER: Any = SimpleNamespace(limits=SimpleNamespace(sentences=1024))


class HandTimer:
    """A timer that rings when the test moves its clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.asked = 0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, act: Callable[[], None]) -> tuple[float, Callable[[], None]]:
        self.asked += 1
        self.due.append((self.clock.now + seconds, act))
        return self.due[-1]

    def cancel(self, due: tuple[float, Callable[[], None]]) -> None:
        if due in self.due:
            self.due.remove(due)

    def wait(self, seconds: float) -> None:
        """Move the clock by so much, and ring when it is time."""
        end = self.clock.now + seconds
        while self.due and min(at for at, _ in self.due) <= end:
            first = min(self.due, key=lambda due: due[0])
            self.due.remove(first)
            self.clock.now = max(self.clock.now, first[0])
            first[1]()
        self.clock.now = end


class World:
    """Lines on a clock of the test's own, and the names of the messages that went on."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.timer = HandTimer(self.clock)
        self.went_on: list[str] = []
        self.lines = WaitingMessages(cast("Timer", self.timer), self._go_on, clock=self.clock)
        self.calls: dict[str, HandHeldCall] = {}

    def account(self, **limits: Any) -> KeyAccount:
        return KeyAccount("small", Quota(**limits), clock=self.clock)

    def message(
        self, name: str, *, account: KeyAccount | None = None, arrived: float = 0.0, caller: str = ""
    ) -> StreamMessage:
        self.calls[name] = call = HandHeldCall(caller=caller, arrived=arrived)
        context = CallContext(call, lambda code, refused: None, NO_SPAN, account)  # type: ignore[arg-type]
        listener: Any = None
        return StreamMessage(request(name), embedder=EMBEDDER, context=context, listener=listener)

    def put(
        self, name: str, rest_s: float | None = None, **options: Any
    ) -> list[tuple[StreamMessage, OverloadedError]]:
        message = self.message(name, **options)
        return self.lines.put(message, rest_s, is_for_share=message.context.account is not None)

    def _go_on(self, message: StreamMessage) -> None:
        self.went_on.append(message.sentences[0])


@pytest.fixture
def world() -> World:
    return World()


def in_debt(world: World, *, rate: float, seconds: float) -> KeyAccount:
    """An account whose share is there in so many seconds."""
    account = world.account(sentences_per_s=rate)
    account.take_share(round(rate * (1 + seconds)))
    return account


def test_a_line_is_asked_when_its_share_is_there_and_not_before(world: World) -> None:
    """Twenty seconds at ten a second are two hundred messages, and no more questions than those."""
    account = in_debt(world, rate=10, seconds=0.5)
    for number in range(250):
        assert world.put(str(number), account=account, arrived=number) == []
    world.timer.wait(0.45)
    assert world.went_on == []
    world.timer.wait(20)
    assert 195 <= len(world.went_on) <= 205
    assert world.timer.asked <= 2 + len(world.went_on)


def test_who_came_first_goes_first(world: World) -> None:
    """However late it was put in line: the first message of a stream is what its caller waits for."""
    account = in_debt(world, rate=10, seconds=1)
    for name, arrived in (("third", 3.0), ("first", 1.0), ("second", 2.0)):
        world.put(name, account=account, arrived=arrived)
    world.timer.wait(10)
    assert world.went_on == ["first", "second", "third"]
    assert len(world.lines) == world.lines.bytes == 0
    assert not world.timer.due


def test_a_share_that_can_not_be_had_soon_is_refused(world: World) -> None:
    """Messages that wait before it count; the time that is told is that of its turn."""
    account = in_debt(world, rate=1, seconds=0)
    refused = [refusal for number in range(40) for refusal in world.put(str(number), account=account, arrived=number)]
    assert 25 <= len(world.lines) <= 31
    assert len(world.lines) + len(refused) == 40
    for _, error in refused:
        assert isinstance(error, QuotaError)
        assert 30 < error.retry_after_s < 32
    world.timer.wait(0)
    assert not world.lines.put(world.message("free", caller="other"), 1.0, is_for_share=False)


def test_who_was_let_in_is_not_refused_later(world: World) -> None:
    """A message that has waited goes back to its place, whatever came before it meanwhile."""
    account = in_debt(world, rate=1, seconds=0)
    first = world.message("first", account=account)
    assert not world.lines.put(first, None, is_for_share=True)
    assert world.lines.take_all_messages() == [first]
    account.take_share(1000)
    assert not world.lines.put(first, 1.0, is_for_share=True)


def test_what_waits_is_bounded_by_caller(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's latest is refused, and told when to come again."""
    monkeypatch.setattr(waiting, "_CALLER_BYTES", 50_000)
    account = in_debt(world, rate=1000, seconds=1)
    refused = [refusal for number in range(40) for refusal in world.put(str(number), account=account, arrived=number)]
    assert refused
    assert world.lines.bytes <= 50_000
    assert not world.put("polite", account=in_debt(world, rate=1000, seconds=1))
    assert all(error.retry_after_s > 0 for _, error in refused)
    assert {message.sentences[0] for message, _ in refused} == {str(number) for number in range(40 - len(refused), 40)}


def test_what_waits_is_bounded_in_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever holds most gives way, be it somebody else than who comes."""
    monkeypatch.setattr(waiting, "_ALL_BYTES", 50_000)
    for number in range(5):
        assert not world.put(f"greedy {number}", 1.0, caller="greedy", arrived=number)
    refused = []
    for number in range(8):
        refused += world.put(f"polite {number}", 1.0, caller=f"polite {number}")
    assert [message.sentences[0] for message, _ in refused] == ["greedy 4", "greedy 3"]
    assert world.lines.bytes <= 50_000


def test_long_messages_count_for_what_they_hold(world: World) -> None:
    world.put("short", 1.0)
    short = world.lines.bytes
    world.put("x" * 100_000, 1.0)
    assert world.lines.bytes - short > 200_000


def test_who_leaves_waits_no_more(world: World) -> None:
    account = in_debt(world, rate=10, seconds=1)
    for name in ("stays", "leaves"):
        world.put(name, account=account)
    world.calls["leaves"].leave()
    assert len(world.lines) == 1
    world.timer.wait(10)
    assert world.went_on == ["stays"]


def test_sentences_at_once_are_asked_for_when_some_have_ended(world: World) -> None:
    """The account says when that is, since nobody knows before; then the line is asked at once."""
    account = world.account(concurrent_sentences=1)
    account.take_share(1)
    world.put("first", 60.0, account=account, arrived=1)
    world.put("second", account=account, arrived=2)
    world.timer.wait(1)
    assert world.went_on == []
    account.give_back(1)
    world.timer.wait(0)
    assert world.went_on == ["first"]
    account.give_back(1)
    world.timer.wait(0)
    assert world.went_on == ["first", "second"]


def test_messages_of_a_key_wait_in_one_line_by_whatever_networks_they_come(world: World) -> None:
    """Its share is one: who comes by another network stands behind those who wait for it."""
    account = world.account(concurrent_sentences=1)
    account.take_share(1)
    for index, name in enumerate(("first", "second")):
        world.put(name, 60.0, account=account, caller=f"network {index}", arrived=index)
    assert world.lines.is_for_share(account)
    account.give_back(1)
    world.timer.wait(0)
    assert world.went_on == ["first"]


def test_a_line_that_waits_for_room_rests(world: World) -> None:
    """All of it is tried again then, in its order."""
    for number in range(3):
        world.put(str(number), 5.0, arrived=number)
    world.timer.wait(4.9)
    assert world.went_on == []
    world.timer.wait(0.2)
    assert world.went_on == ["0", "1", "2"]

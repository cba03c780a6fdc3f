"""What counts a key's share: in Python and in C++, the same verdicts, times and numbers for whatever comes."""

from collections.abc import Sequence
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothends.errors import BothendsError, OverloadedError
from bothends.server.quota import KeyAccount, Quota
from bothends.server.usage import Excess
from tests.support.clock import Clock

native = pytest.importorskip(
    "bothends_native.transport", reason="bothends-native has no transport here", exc_type=ImportError
)

SENTENCES = st.integers(0, 1000)
LIMITS = st.builds(
    Quota, st.none() | st.floats(1e-3, 1e9), st.none() | st.integers(1, 1000) | st.integers(1, 2**31 - 1)
)
Step: TypeAlias = tuple[str, tuple[object, ...]]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.tuples(SENTENCES, st.integers(0, 50))),
        st.tuples(st.just("end"), st.tuples(st.booleans())),
        st.tuples(st.just("check"), st.tuples(SENTENCES)),
        st.tuples(st.just("pay"), st.tuples(SENTENCES)),
        st.tuples(st.just("wait"), st.tuples(st.floats(0, 10) | st.floats(-1e-3, 1e-3))),
        st.tuples(st.just("limit"), st.tuples(LIMITS)),
    ),
    max_size=60,
)


class Followed:
    """An account that does as it is told, and says what came of it."""

    def __init__(self, limits: Quota, *, in_cpp: bool) -> None:
        self.clock = Clock(1e5)  # a wait may be below 0, as for threads that overtake each other
        made = {"create_usage": native.Usage} if in_cpp else {}
        self.account = KeyAccount("any", limits, clock=self.clock, **made)
        self.begun: list[tuple[int, int]] = []

    def follow(self, steps: Sequence[Step]) -> list[object]:
        return [self._do(name, *given) for name, given in steps]

    def _do(self, name: str, *given: object) -> object:
        try:
            getattr(self, name)(*given)
        except OverloadedError as error:
            return type(error), str(error), error.retry_after_s
        except BothendsError as error:
            return type(error), str(error)
        return self.account.usage.in_progress

    def take(self, sentences: int, extra: int) -> None:
        self.account.take_share(sentences, extra=extra)
        self.begun.append((sentences, extra))

    def end(self, unserved: bool) -> None:
        if self.begun:
            sentences, extra = self.begun.pop()
            self.account.give_back(sentences, extra=extra, unserved=unserved)

    def check(self, ahead: int) -> None:
        self.account.check(ahead=ahead)

    def pay(self, sentences: int) -> None:
        self.account.pay(sentences)

    def wait(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def limit(self, limits: Quota) -> None:
        self.account.limits = limits


@given(LIMITS, STEPS)
def test_both_languages_count_alike(limits: Quota, steps: list[Step]) -> None:
    """Whatever is taken, given back, paid, waited and limited, and in which order: equal to the last bit."""
    local, cpp = (Followed(limits, in_cpp=in_cpp) for in_cpp in (False, True))
    assert local.follow(steps) == cpp.follow(steps)


def test_both_languages_have_the_same_names() -> None:
    assert [reason.name for reason in native.Excess] == [reason.name for reason in Excess]

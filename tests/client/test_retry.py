"""Policy of retries: what is tried again, when, and how often in the long run, without a server, a clock or luck."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bothends import (
    BothendsError,
    ConnectionFailedError,
    DrainingError,
    NotServingError,
    OverloadedError,
    QuotaError,
    Retry,
)
from bothends.client.retry import RetryBudget

LOST = ConnectionFailedError("gone")


@pytest.mark.parametrize(
    "error", [LOST, NotServingError("unfit"), DrainingError("off")], ids=lambda e: type(e).__name__
)
def test_a_lost_server_is_given_twice_as_long_each_time(error: BothendsError) -> None:
    """Waits double up to a limit; at least half of each is sure, so that attempts last as long as a restart."""
    retry = Retry(attempts=8, first_wait_s=0.1, longest_wait_s=2.0)
    lower = [retry.wait_s(error, failures=n, dice=lambda: 0.0) for n in range(1, 8)]
    upper = [retry.wait_s(error, failures=n, dice=lambda: 1.0) for n in range(1, 8)]
    assert upper == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])
    assert lower == pytest.approx([wait / 2 for wait in (0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0)])


@given(retry_after_s=st.floats(0, 1e6), failures=st.integers(1, 9), dice=st.floats(0, 1))
@pytest.mark.parametrize("kind", [OverloadedError, QuotaError])
def test_a_full_server_is_never_asked_sooner_than_it_says(
    kind: type[OverloadedError], retry_after_s: float, failures: int, dice: float
) -> None:
    """A random time is added, else all callers that were refused at once would be back at once."""
    wait_s = Retry().wait_s(kind("full", retry_after_s=retry_after_s), failures=failures, dice=lambda: dice)
    assert wait_s is not None
    assert retry_after_s <= wait_s <= retry_after_s + dice * 2.0
    assert Retry().wait_s(kind("full", retry_after_s=1.0), failures=3, dice=lambda: 1.0) == pytest.approx(1.4)


def test_attempts_count_the_first_call() -> None:
    assert Retry(attempts=3).wait_s(LOST, failures=2, dice=lambda: 0.0) is not None
    assert Retry(attempts=3).wait_s(LOST, failures=3, dice=lambda: 0.0) is None
    assert Retry(attempts=1).wait_s(LOST, failures=1, dice=lambda: 0.0) is None


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"first_wait_s": -1}, {"burst": -1}, {"share": float("nan")}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Retry(**wrong)  # type: ignore[arg-type]


@given(outcomes=st.lists(st.booleans(), max_size=400), burst=st.integers(0, 20))
def test_retries_are_a_share_of_what_succeeds(outcomes: list[bool], burst: int) -> None:
    """Whatever happens in whatever order: the burst, and a tenth of the successes, are the most."""
    budget = RetryBudget(Retry(burst=burst, share=0.1))
    retries = 0
    for number, success in enumerate(outcomes):
        if success:
            budget.earn()
        else:
            retries += budget.spend()
        assert retries <= burst + 0.1 * sum(outcomes[: number + 1])


def test_threads_spend_each_token_once() -> None:
    """However they meet: as many say yes as there were tokens."""
    budget = RetryBudget(Retry(burst=1000))
    together = threading.Barrier(8)

    def spend(_: int) -> int:
        together.wait()
        return sum(budget.spend() for _ in range(500))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(spend, range(8))) == 1000

"""A key's share, on a clock of the test's own."""

import threading

import pytest

from bothends.errors import QuotaError, RequestError
from bothends.server.quota import KeyAccount, Quota, extra
from tests.support.clock import Clock


def test_without_limits_no_request_is_refused() -> None:
    account = KeyAccount("any", Quota())
    account.take_share(10**9)
    account.take_share(10**9)
    assert account.capped(1024) == 1024


def test_sentences_at_once() -> None:
    """A key at its limit is full; one that is done makes room for one; to ask for more than ever fits is an error."""
    account = KeyAccount("small", Quota(concurrent_sentences=10))
    account.take_share(9)
    account.take_share(1)
    with pytest.raises(QuotaError, match="10 sentences of this key are in progress, and 10 may be") as full:
        account.take_share(1)
    assert 0 < full.value.retry_after_s < 1
    account.give_back(1)
    account.take_share(1)
    with pytest.raises(RequestError, match="11 sentences are more than this key's limit of 10 at once"):
        account.take_share(11)
    assert account.capped(1024) == 10


def test_a_refusal_takes_nothing() -> None:
    account = KeyAccount("small", Quota(sentences_per_s=1000, concurrent_sentences=10))
    account.take_share(5)
    for _ in range(100):
        with pytest.raises(QuotaError):
            account.take_share(6)
    account.take_share(5)


def test_sentences_a_second() -> None:
    """A second's worth may come at once; from then on the mean is the rate, and the time told is the time needed."""
    clock = Clock()
    account = KeyAccount("steady", Quota(sentences_per_s=100), clock=clock)
    served, end = 0, clock.now + 60
    while clock.now < end:
        try:
            account.take_share(7)
            served += 7
        except QuotaError as error:
            before = clock.now
            clock.now += error.retry_after_s - 2e-3
            with pytest.raises(QuotaError):
                account.take_share(7)
            clock.now = before + error.retry_after_s
    assert 6000 <= served <= 6000 + 100 + 7


def test_a_large_request_is_served_and_paid_for() -> None:
    """Ten seconds' worth is served at once; then nothing until it is paid: no request waits for ever."""
    clock = Clock()
    account = KeyAccount("large", Quota(sentences_per_s=100), clock=clock)
    account.take_share(1000)
    with pytest.raises(QuotaError, match="100 sentences a second") as raised:
        account.take_share(1)
    assert raised.value.retry_after_s == pytest.approx(9, abs=0.1)
    clock.now += raised.value.retry_after_s
    account.take_share(1)


def test_what_is_not_used_is_kept_for_a_second() -> None:
    clock = Clock()
    account = KeyAccount("idle", Quota(sentences_per_s=100), clock=clock)
    clock.now += 3600
    account.take_share(101)
    with pytest.raises(QuotaError):
        account.take_share(1)


def test_what_the_server_refused_costs_nothing() -> None:
    clock = Clock()
    account = KeyAccount("unlucky", Quota(sentences_per_s=10), clock=clock)
    for _ in range(5):
        account.take_share(100)
        account.give_back(100, unserved=True)
    account.take_share(100)
    account.give_back(100)
    with pytest.raises(QuotaError):
        account.take_share(1)


def test_long_sentences_count_more_in_a_second_but_not_at_once() -> None:
    """Characters, or token ids, count once for each 4,096; what the server refused costs nothing."""
    assert extra(["a" * 4095, "", [1] * 4095]) == 0
    assert extra(["a" * 4096, "a" * 65_000, [1] * 9000]) == 1 + 15 + 2
    clock = Clock()
    account = KeyAccount("wordy", Quota(sentences_per_s=10, concurrent_sentences=2), clock=clock)
    account.take_share(1, extra=99)
    account.give_back(1, extra=99, unserved=True)
    account.take_share(1, extra=99)
    with pytest.raises(QuotaError) as raised:
        account.take_share(1)
    assert raised.value.retry_after_s == pytest.approx(9, abs=0.1)


def test_limits_that_change_apply_at_once() -> None:
    clock = Clock()
    account = KeyAccount("changing", Quota(sentences_per_s=10), clock=clock)
    account.take_share(1000)
    account.limits = Quota(concurrent_sentences=1001)
    account.take_share(1)
    with pytest.raises(QuotaError, match="1001 sentences of this key are in progress, and 1001 may be"):
        account.take_share(1)


def test_threads_lose_no_count() -> None:
    account = KeyAccount("busy", Quota(concurrent_sentences=1000))

    def use() -> None:
        for _ in range(2000):
            account.take_share(3)
            account.give_back(3)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    account.take_share(1000)
    with pytest.raises(QuotaError):
        account.take_share(1)


def test_what_could_not_be_served_is_paid_for() -> None:
    """A flood of it puts the key into debt, but never deeper than one request of the largest size would."""
    clock = Clock()
    account = KeyAccount("flooding", Quota(sentences_per_s=100), clock=clock)
    account.check()
    for _ in range(50):
        account.pay(1000)
    with pytest.raises(QuotaError) as raised:
        account.check()
    assert raised.value.retry_after_s == pytest.approx(10, abs=0.1)
    clock.now += raised.value.retry_after_s
    account.check()
    account.take_share(1)

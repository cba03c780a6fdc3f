"""Threads that do the same work: named, waited for, and replaced where one is lost."""

import threading

import pytest

from bothends.batching.threads import WorkerThreads
from tests.support.engines import FreeEngine, fifo_of
from tests.support.until import TIMEOUT_S


def test_a_lost_thread_is_replaced_and_not_waited_for() -> None:
    """A thread that never returns costs the others nothing, and another does its work."""
    stuck, lost, over = threading.Semaphore(0), list[threading.Thread](), threading.Event()

    def work() -> None:
        lost.append(threading.current_thread())
        stuck.release()
        if len(lost) == 1:
            over.wait(TIMEOUT_S)

    threads = WorkerThreads(work, 1, name="lost")
    assert stuck.acquire(timeout=TIMEOUT_S)
    assert not threads.join(0)
    assert lost[0].ident is not None
    threads.replace(lost[0].ident)
    assert stuck.acquire(timeout=TIMEOUT_S)
    assert threads.join(TIMEOUT_S)
    over.set()
    assert [thread.name for thread in lost] == ["lost-0", "lost-1"]
    assert all(thread.daemon for thread in lost)


def test_work_that_raises_is_done_anew(caplog: pytest.LogCaptureFixture) -> None:
    """A bug of ours costs no thread, and its text, which may hold a sentence, stays out of the log."""
    works = list[threading.Thread]()

    def work() -> None:
        works.append(threading.current_thread())
        if len(works) < 3:
            raise LookupError("a secret")

    assert WorkerThreads(work, 1, name="raising").join(TIMEOUT_S)
    assert len(works) == 3
    assert len(set(works)) == 1
    assert [record.getMessage().split(" at ")[0] for record in caplog.records] == [
        "the work of a thread met an unforeseen error: LookupError"
    ] * 2
    assert "secret" not in caplog.text


def test_threads_are_waited_for_while_one_is_replaced() -> None:
    """A join while threads are replaced never meets one that has yet to begin."""
    for _ in range(300):
        threads = WorkerThreads(lambda: None, 1, name="joined")
        replacing = threading.Thread(target=threads.replace, args=(0,))
        replacing.start()
        while replacing.is_alive():
            threads.join(TIMEOUT_S)
        assert threads.join(TIMEOUT_S)


def test_each_thread_runs_an_errand_once() -> None:
    """A new model is made ready in every thread that will run it."""
    queue, came = fifo_of(FreeEngine(), workers=3), list[int]()
    assert queue.in_each_thread(lambda: came.append(threading.get_ident()), timeout_s=TIMEOUT_S)
    assert sorted(came) == sorted(queue.threads.idents)
    assert queue.close(timeout_s=TIMEOUT_S)


def test_an_errand_that_fails_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    queue = fifo_of(FreeEngine())

    def fail() -> None:
        raise LookupError("a secret")

    assert queue.in_each_thread(fail, timeout_s=TIMEOUT_S)
    assert {record.getMessage() for record in caplog.records} == {"a thread couldn't be made ready: LookupError"}
    assert queue.submit([[5]]).result(TIMEOUT_S).tolist() == [[5, 1]]
    assert queue.close(timeout_s=TIMEOUT_S)

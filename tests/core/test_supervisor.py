"""A served model that goes wrong, and comes right again."""

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends.engines.contract import TokenIds
from bothends.errors import BothendsError, EngineError, NotServingError
from bothends.model.bundle import Bundle
from tests.support.clock import Clock
from tests.support.supervised import WORDS, Supervised
from tests.support.until import TIMEOUT_S, until


@pytest.mark.parametrize("off", [0.5, float("nan")])
def test_a_model_that_drifts_is_withdrawn_and_loaded_anew(
    kept: Callable[..., Supervised], caplog: pytest.LogCaptureFixture, off: float
) -> None:
    """Metric, log and fitness say so; the new engine gives the right rows again."""
    caplog.set_level(logging.INFO)
    one = kept()
    right = one.embedder.embed(WORDS).rows
    one.engines[0].off = off
    until(lambda: one.fitness[-1:] == [True])
    assert one.fitness == [False, True]
    assert one.embedder.embed(WORDS).rows.tobytes() == right.tobytes()
    assert len(one.engines) == 2
    until(lambda: one.shows("bothends_selftest_success") == 1)
    assert one.shows("bothends_model_withdrawals_total") == 1
    assert "withdrawn and loaded anew" in caplog.text
    until(lambda: "agrees with PyTorch again" in caplog.text)


def test_a_live_test_is_followed_by_a_rest(kept: Callable[..., Supervised]) -> None:
    """A self-test is due again once its interval has passed and a multiple of what it took."""
    clock = Clock()
    one = kept(start=False, clock=clock, selftest_s=10, reload_s=0, rest_ratio=1e6)
    rest_s = 1e6 * one.embedder.model.self_test.seconds
    assert rest_s > 10
    passed_at = []
    for clock.now in (9, 10, 11, 21, 10 + rest_s - 1, 10 + rest_s, 11 + rest_s):
        one.embedder.metrics.tested(success=False, difference=0)
        one.supervisor.run_due()
        if one.shows("bothends_selftest_success"):
            passed_at.append(clock.now)
    assert passed_at == [10, 10 + rest_s]


def test_until_it_is_fit_nobody_is_answered_wrongly(kept: Callable[..., Supervised]) -> None:
    """Requests are refused while no engine can be had; attempts go on; what was said before is right."""
    one = kept()
    right = one.embedder.embed(WORDS).rows
    one.broken_loads = 10_000
    one.engines[0].off = 0.5
    until(lambda: one.fitness == [False])
    with pytest.raises(NotServingError, match="the model failed its self-test; the model is being loaded anew"):
        one.embedder.embed(WORDS)
    assert one.shows("bothends_selftest_success") == 0
    assert one.shows("bothends_selftest_difference") == pytest.approx(0.5)
    tried = one.broken_loads
    until(lambda: one.broken_loads < tried - 2)
    one.broken_loads = 0
    until(lambda: one.fitness == [False, True])
    assert one.embedder.embed(WORDS).rows.tobytes() == right.tobytes()


def test_it_is_not_loaded_anew_from_other_content(
    kept: Callable[..., Supervised], root: Path, newer: list[Bundle], caplog: pytest.LogCaptureFixture
) -> None:
    """Files that were changed under a served version are another model: no caller gets its numbers under that name."""
    one = kept(reload_s=0)
    for file in newer[0].path.iterdir():
        shutil.copy(file, root / "v1")
    config = (root / "v1" / "config.json").read_text()
    (root / "v1" / "config.json").write_text(config.replace(f'"{newer[0].config.version}"', '"1.0"'))
    one.engines[0].off = 0.5
    until(lambda: "can't be loaded anew" in caplog.text)
    assert "with other content" in caplog.text
    assert one.fitness == [False]


def test_what_waits_for_a_withdrawn_model_fails(kept: Callable[..., Supervised]) -> None:
    """Requests fail, even those whose batch is running: its numbers are not to be trusted."""
    one = kept(selftest_s=0, reload_s=0)
    engine = one.engines[0]
    engine.goes_on.clear()
    while engine.entered.acquire(blocking=False):  # by the self-test
        pass
    futures = [one.embedder.begin(WORDS)[1] for _ in range(20)]
    assert engine.entered.acquire(timeout=TIMEOUT_S)
    one.embedder.model.withdraw("a test")
    one.engines[0].goes_on.set()
    for future in futures:
        with pytest.raises(NotServingError):
            future.result(TIMEOUT_S)


@pytest.mark.parametrize("fault", [RuntimeError("secret words"), MemoryError()])
def test_an_engine_that_raises_is_tested_at_once(
    kept: Callable[..., Supervised], caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    """A fault hastens the self-test; its caller learns no more of it than that there was one."""
    one = kept(selftest_s=3600, reload_s=0)
    one.engines[0].raises = fault
    with pytest.raises(EngineError) as raised:
        one.embedder.embed(WORDS)
    assert str(raised.value) == "the model run failed"
    until(lambda: one.fitness == [False, True])
    assert one.embedder.embed(WORDS).rows.shape == (1, 32)


def test_an_engine_that_hangs_is_given_up(kept: Callable[..., Supervised]) -> None:
    """Callers of an engine that hangs are answered with an error, and another engine takes its place."""
    one = kept(selftest_s=3600, reload_s=0, timeout_s=1.0)
    one.engines[0].goes_on.clear()
    futures = [one.embedder.begin(WORDS * 20)[1] for _ in range(4)]
    for future in futures:
        with pytest.raises((EngineError, NotServingError)):
            future.result(TIMEOUT_S)
    until(lambda: one.fitness == [False, True])
    assert one.embedder.embed(WORDS).rows.shape == (1, 32)
    assert len(one.engines) == 2


def test_callers_are_told_why_there_is_no_model(kept: Callable[..., Supervised]) -> None:
    """A model whose run hung has failed no self-test, and one that failed it hung nowhere."""
    hung = kept(selftest_s=3600, reload_s=0, timeout_s=1.0)
    hung.broken_loads = 10_000
    hung.engines[0].goes_on.clear()
    hung.embedder.begin(WORDS)
    until(lambda: hung.fitness == [False])
    with pytest.raises(NotServingError, match="a model run took too long; the model is being loaded anew"):
        hung.embedder.embed(WORDS)
    hung.engines[0].goes_on.set()


def test_memory_that_runs_out_in_a_wide_batch_costs_nobody_an_answer(
    kept: Callable[..., Supervised], root: Path
) -> None:
    """A batch without memory is run again in halves; no self-test finds the model wrong."""
    one = kept(selftest_s=0, reload_s=0)
    engine = one.engines[0]
    run, widths = engine.run, []

    def tight(sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        widths.append(len(sentences))
        if len(sentences) > 3:
            raise MemoryError
        return run(sentences)

    engine.run = tight  # type: ignore[method-assign]
    right = one.load(Bundle.open(root / "v1")).run([[5, 6, 7]])
    rows = [future for _, future in (one.embedder.begin(WORDS * 16) for _ in range(4))]
    assert all(len(future.result(TIMEOUT_S)) == 16 for future in rows)
    assert max(widths) > 3
    assert right.shape == (1, 32)
    assert one.fitness == []


@pytest.mark.parametrize("error", [MemoryError("secret words"), OSError("secret words")])
def test_a_load_that_fails_by_what_nobody_foresaw_is_tried_again(
    kept: Callable[..., Supervised], caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """Callers would wait until the next self-test, and without self-tests for ever."""
    one = kept(selftest_s=0, reload_s=0)
    one.broken_loads, one.broken_by = 2, error
    one.engines[0].raises = RuntimeError()
    with pytest.raises(EngineError):
        one.embedder.embed(WORDS)
    until(lambda: one.fitness[-1:] == [True])
    assert one.embedder.embed(WORDS).rows.shape == (1, 32)
    assert f"can't be loaded anew: {type(error).__name__} at " in caplog.text
    assert "secret" not in caplog.text


def test_a_supervisor_outlives_what_it_does_not_foresee(
    kept: Callable[..., Supervised], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that no bothends code raises costs one attempt, not the supervisor."""
    one = kept(selftest_s=0.02, reload_s=0)
    failures = []

    def prove() -> None:
        failures.append(1)
        raise OSError("unforeseen")

    monkeypatch.setattr(one.embedder, "prove", prove)
    until(lambda: len(failures) > 2)
    monkeypatch.undo()
    assert issubclass(NotServingError, BothendsError)

"""A served model that goes wrong, comes right again, or gives way to a newer one."""

import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends import keeper
from bothends.bundle import Bundle
from bothends.embedder import Embedder
from bothends.engine import TokenIds
from bothends.errors import BothendsError, EngineError, NotServingError
from bothends.keeper import Keeper
from bothends.metrics import Metrics
from bothends.model import Model
from bothends.session import Session
from bothends.settings import Settings
from bothends.tokenizer import Tokenizer

from .engines import PATIENCE_S, until

WORDS = ["there will be dragons"]


class Faulty:
    """The bundle's own engine, with whatever the test makes go wrong."""

    def __init__(self, bundle: Bundle) -> None:
        self._session = Session(bundle)
        self.dimension = bundle.config.dimension
        self.off = 0.0
        self.raises: Exception | None = None
        self.entered = threading.Semaphore(0)
        self.goes_on = threading.Event()
        self.goes_on.set()

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        self.entered.release()
        assert self.goes_on.wait(PATIENCE_S)
        if self.raises is not None:
            raise self.raises
        return self._session.run(sentences) + np.float32(self.off)


class Kept:
    """An embedder of the newest bundle in a folder, and its keeper. Each model's engine is in `engines`."""

    def __init__(
        self,
        root: Path,
        *,
        selftest_s: float = 0.02,
        reload_s: float = 0.02,
        timeout_s: float = 5.0,
        start: bool = True,
    ) -> None:
        self.engines: list[Faulty] = []
        self.fitness: list[bool] = []
        self.broken_loads = 0
        self.metrics = Metrics()
        self.settings = Settings(workers=2, engine_timeout_s=timeout_s)
        self.embedder = Embedder(
            self.load(Bundle.open(keeper.newest(root))), settings=self.settings, metrics=self.metrics
        )
        self.keeper = Keeper(
            self.embedder,
            self.metrics,
            root,
            self.load,
            selftest_s=selftest_s,
            reload_s=reload_s,
            when_fit=self.fitness.append,
        )
        if start:
            self.keeper.start()

    def load(self, bundle: Bundle) -> Model:
        if self.broken_loads:
            self.broken_loads -= 1
            raise keeper.BundleError("the disk is gone")
        self.engines.append(Faulty(bundle))
        tokenizer = Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=bundle.path)
        return Model(bundle, tokenizer, self.engines[-1], device="cpu", provider="CPUExecutionProvider")

    def shows(self, series: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(series, labels)

    def close(self) -> None:
        for engine in self.engines:
            engine.goes_on.set()
        self.keeper.close()
        assert self.embedder.close(timeout_s=PATIENCE_S)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_CALM_S", 0.02)


@pytest.fixture
def root(toy_bundle: Bundle, tmp_path: Path) -> Path:
    """A folder of versions, of which the toy bundle is the first."""
    shutil.copytree(toy_bundle.path, tmp_path / "v1")
    return tmp_path


@pytest.fixture
def kept(root: Path) -> Iterator[Callable[..., Kept]]:
    made: list[Kept] = []

    def make(**options: float) -> Kept:
        made.append(Kept(root, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("off", [0.5, float("nan")])
def test_a_model_that_drifts_is_withdrawn_and_loaded_anew(
    kept: Callable[..., Kept], caplog: pytest.LogCaptureFixture, off: float
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


def test_until_it_is_fit_nobody_is_answered_wrongly(kept: Callable[..., Kept]) -> None:
    """Requests are refused while no engine can be had; attempts go on; what was said before is right."""
    one = kept()
    right = one.embedder.embed(WORDS).rows
    one.broken_loads = 10_000
    one.engines[0].off = 0.5
    until(lambda: one.fitness == [False])
    with pytest.raises(NotServingError):
        one.embedder.embed(WORDS)
    assert one.shows("bothends_selftest_success") == 0
    assert one.shows("bothends_selftest_difference") == pytest.approx(0.5)
    tried = one.broken_loads
    until(lambda: one.broken_loads < tried - 2)
    one.broken_loads = 0
    until(lambda: one.fitness == [False, True])
    assert one.embedder.embed(WORDS).rows.tobytes() == right.tobytes()


def test_what_waits_for_a_withdrawn_model_is_told(kept: Callable[..., Kept]) -> None:
    """Not even a batch that is running gets its numbers out."""
    one = kept(selftest_s=0, reload_s=0)
    engine = one.engines[0]
    engine.goes_on.clear()
    while engine.entered.acquire(blocking=False):  # by the self-test
        pass
    futures = [one.embedder.begin(WORDS)[1] for _ in range(20)]
    assert engine.entered.acquire(timeout=PATIENCE_S)
    one.embedder.model.withdraw()
    one.engines[0].goes_on.set()
    for future in futures:
        with pytest.raises(NotServingError):
            future.result(PATIENCE_S)


@pytest.mark.parametrize("fault", [RuntimeError("secret words"), MemoryError()])
def test_an_engine_that_raises_is_tested_at_once(
    kept: Callable[..., Kept], caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    """And not only when the next test is due; whoever met the fault knows no more of it than that there was one."""
    one = kept(selftest_s=3600, reload_s=0)
    one.engines[0].raises = fault
    with pytest.raises(EngineError) as raised:
        one.embedder.embed(WORDS)
    assert str(raised.value) == "the model run failed"
    until(lambda: one.fitness == [False, True])
    assert one.embedder.embed(WORDS).rows.shape == (1, 32)


def test_an_engine_that_hangs_is_given_up(kept: Callable[..., Kept]) -> None:
    """Its callers are told in time, another takes its place, and the next caller is answered."""
    one = kept(selftest_s=3600, reload_s=0, timeout_s=0.2)
    one.engines[0].goes_on.clear()
    futures = [one.embedder.begin(WORDS * 20)[1] for _ in range(4)]
    for future in futures:
        with pytest.raises((EngineError, NotServingError)):
            future.result(PATIENCE_S)
    until(lambda: one.fitness == [False, True])
    assert one.embedder.embed(WORDS).rows.shape == (1, 32)
    assert len(one.engines) == 2


def test_memory_that_runs_out_in_a_wide_batch_costs_nobody_an_answer(kept: Callable[..., Kept]) -> None:
    """It is run again in halves; and a self-test finds nothing wrong."""
    one = kept(selftest_s=0, reload_s=0)
    engine = one.engines[0]
    run, widths = engine.run, []

    def tight(sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        widths.append(len(sentences))
        if len(sentences) > 3:
            raise MemoryError
        return run(sentences)

    engine.run = tight  # type: ignore[method-assign]
    right = one.load(Bundle.open(keeper.newest(one.keeper._root))).run([[5, 6, 7]])
    rows = [future for _, future in (one.embedder.begin(WORDS * 16) for _ in range(4))]
    assert all(len(future.result(PATIENCE_S)) == 16 for future in rows)
    assert max(widths) > 3
    assert right.shape == (1, 32)
    assert one.fitness == []


def test_a_newer_version_takes_over_between_batches(
    kept: Callable[..., Kept], root: Path, newer: list[Bundle], caplog: pytest.LogCaptureFixture
) -> None:
    """No request fails, and each reply's version is that of the model that its numbers are of."""
    one, found, stop = kept(), list[tuple[str, bytes]](), threading.Event()

    def call() -> None:
        while not stop.is_set():
            reply = one.embedder.embed(WORDS)
            found.append((reply.model_version, reply.rows.tobytes()))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for bundle in newer:
        shutil.copytree(bundle.path, root / "incoming.partial")
        (root / "incoming.partial").rename(root / bundle.path.name)
        until(lambda version=bundle.config.version: found and found[-1][0] == version)
    stop.set()
    for caller in callers:
        caller.join(PATIENCE_S)
    truth = {
        bundle.config.version: Session(bundle)
        .run([tokens.ids for tokens in one.embedder.model.tokenizer.encode(WORDS)])
        .tobytes()
        for bundle in (Bundle.open(root / "v1"), *newer)
    }
    assert {version for version, _ in found} == set(truth)
    assert all(truth[version] == rows for version, rows in found)
    assert one.shows("bothends_model_reloads_total", result="served") == 3
    labels = {"name": "toy", "device": "cpu", "provider": "CPUExecutionProvider"}
    assert one.shows("bothends_model_info", version=newer[2].config.version, **labels) == 1
    assert one.shows("bothends_model_info", version=newer[0].config.version, **labels) is None


def test_what_waits_is_answered_by_the_model_that_it_came_to(
    kept: Callable[..., Kept], root: Path, newer: list[Bundle]
) -> None:
    """Its token ids are that model's; what comes later is the newer one's, even in the same queue."""
    one = kept(selftest_s=0)
    right = one.embedder.embed(WORDS)
    one.engines[0].goes_on.clear()
    early = [one.embedder.begin(WORDS) for _ in range(40)]
    shutil.copytree(newer[0].path, root / "v2")
    until(lambda: one.embedder.model.config.version == newer[0].config.version)
    late = [one.embedder.begin(WORDS) for _ in range(40)]
    one.engines[0].goes_on.set()
    for accepted, rows in early:
        assert accepted.model_version == right.model_version
        assert rows.result(PATIENCE_S).tobytes() == right.rows.tobytes()
    for accepted, rows in late:
        assert accepted.model_version == newer[0].config.version
        assert rows.result(PATIENCE_S).tobytes() != right.rows.tobytes()


def spoil(folder: Path) -> None:
    with (folder / "model.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"\xff")


def test_a_bad_version_is_refused_and_the_old_one_goes_on(
    kept: Callable[..., Kept], root: Path, newer: list[Bundle], caplog: pytest.LogCaptureFixture
) -> None:
    """Once, until its files change; mended, it is served."""
    one = kept()
    before = one.embedder.embed(WORDS)
    shutil.copytree(newer[0].path, root / "incoming.partial")
    spoil(root / "incoming.partial")
    (root / "incoming.partial").rename(root / "v2")
    until(lambda: one.shows("bothends_model_reloads_total", result="refused") == 1)
    after = one.embedder.embed(WORDS)
    assert (after.model_version, after.rows.tobytes()) == (before.model_version, before.rows.tobytes())
    assert "the new model is refused, version 1.0 goes on" in caplog.text
    assert "model.onnx has changed since its export" in caplog.text
    shutil.copy(newer[0].path / "model.onnx", root / "v2" / "model.onnx")
    until(lambda: one.embedder.model.config.version == newer[0].config.version)
    assert one.shows("bothends_model_reloads_total", result="refused") == 1
    assert one.fitness == [True]


def test_what_somebody_may_still_be_writing_is_not_read(root: Path, newer: list[Bundle]) -> None:
    """A change is acted upon once two looks have seen the same."""
    one = Kept(root, start=False)
    shutil.copytree(newer[0].path, root / "v2")
    one.keeper._look_for_newer()
    (root / "v2" / "README.md").touch()
    one.keeper._look_for_newer()
    assert len(one.engines) == 1
    one.keeper._look_for_newer()
    assert one.embedder.model.config.version == newer[0].config.version
    one.keeper._look_for_newer()
    assert len(one.engines) == 2
    one.close()


def test_one_version_can_not_be_two_models(kept: Callable[..., Kept], root: Path, newer: list[Bundle]) -> None:
    """Replies of one version may be compared; so the same version with other weights is refused."""
    one = kept(selftest_s=0, reload_s=0)
    before = one.embedder.embed(WORDS)
    shutil.copytree(newer[0].path, root / "v2")
    config = (root / "v2" / "config.json").read_text()
    (root / "v2" / "config.json").write_text(config.replace(f'"{newer[0].config.version}"', '"1.0"'))
    one.keeper.reload()
    until(lambda: one.shows("bothends_model_reloads_total", result="refused") == 1)
    assert one.embedder.embed(WORDS).rows.tobytes() == before.rows.tobytes()


def test_it_may_be_asked_to_look_and_find_nothing_new(kept: Callable[..., Kept]) -> None:
    one = kept(selftest_s=0, reload_s=0)
    model = one.embedder.model
    one.keeper.reload()
    one.keeper.close()
    one.keeper._thread.join(PATIENCE_S)
    assert one.embedder.model is model
    assert one.fitness == []


def test_a_keeper_outlives_what_it_does_not_foresee(kept: Callable[..., Kept], monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that no bothends code raises costs one attempt, not the keeper."""
    one = kept(selftest_s=0.02, reload_s=0)
    failures = []

    def prove() -> None:
        failures.append(1)
        raise OSError("unforeseen")

    monkeypatch.setattr(one.embedder, "prove", prove)
    until(lambda: len(failures) > 2)
    monkeypatch.undo()
    assert issubclass(NotServingError, BothendsError)

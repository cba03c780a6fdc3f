"""A served model that gives way to a newer one, or doesn't."""

import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from bothends.core.loaded import LoadedModel
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle
from tests.support.clock import Clock
from tests.support.supervised import WORDS, Supervised
from tests.support.until import TIMEOUT_S, until


def test_a_newer_version_takes_over_between_batches(
    kept: Callable[..., Supervised], root: Path, newer: list[Bundle], caplog: pytest.LogCaptureFixture
) -> None:
    """No request fails, and each reply's version is that of the model that its numbers are of."""
    one, found, stop = kept(), list[tuple[str, bytes]](), threading.Event()

    def call() -> None:
        while not stop.is_set():
            reply = one.embedder.embed(WORDS)
            found.append((reply.model_version, reply.rows.tobytes()))
            stop.wait(0.002)  # callers that never rest take the core from whoever checks the newer model

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for bundle in newer:
        shutil.copytree(bundle.path, root / "incoming.partial")
        (root / "incoming.partial").rename(root / bundle.path.name)
        until(partial(lambda version: found and found[-1][0] == version, bundle.config.version))
    stop.set()
    for caller in callers:
        caller.join(TIMEOUT_S)
    truth = {
        bundle.config.version: OnnxRuntimeEngine(bundle)
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
    kept: Callable[..., Supervised], newer: list[Bundle]
) -> None:
    """Token ids are those of the model that they came to; what comes later is the newer one's, in the same queue."""
    one = kept(selftest_s=0)
    right = one.embedder.embed(WORDS)
    one.engines[0].goes_on.clear()
    early = [one.embedder.begin(WORDS) for _ in range(40)]
    one.embedder.serve(one.load(newer[0]))
    late = [one.embedder.begin(WORDS) for _ in range(40)]
    one.engines[0].goes_on.set()
    for accepted, rows in early:
        assert accepted.model_version == right.model_version
        assert rows.result(TIMEOUT_S).tobytes() == right.rows.tobytes()
    for accepted, rows in late:
        assert accepted.model_version == newer[0].config.version
        assert rows.result(TIMEOUT_S).tobytes() != right.rows.tobytes()


def spoil(folder: Path) -> None:
    with (folder / "model.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"\xff")


def test_a_bad_version_is_refused_and_the_old_one_goes_on(
    kept: Callable[..., Supervised], root: Path, newer: list[Bundle], caplog: pytest.LogCaptureFixture
) -> None:
    """A bad version is refused once, until its files change; mended, it is served."""
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
    shutil.copy(newer[0].path / "model.onnx", root / "mended.onnx")
    (root / "mended.onnx").replace(root / "v2" / "model.onnx")  # at once: half of it would be refused again
    until(lambda: one.embedder.model.config.version == newer[0].config.version)
    assert one.shows("bothends_model_reloads_total", result="refused") == 1
    until(lambda: one.fitness == [True])  # soon after it serves


def test_what_somebody_may_still_be_writing_is_not_read(root: Path, newer: list[Bundle]) -> None:
    """A change is acted upon once two looks have seen the same."""
    clock = Clock()
    one = Supervised(root, start=False, clock=clock, selftest_s=0, reload_s=1)

    def look() -> None:
        clock.now += 1
        one.supervisor.run_due()

    shutil.copytree(newer[0].path, root / "v2")
    look()
    (root / "v2" / "README.md").touch()
    look()
    assert len(one.engines) == 1
    look()
    assert one.embedder.model.config.version == newer[0].config.version
    look()
    assert len(one.engines) == 2
    one.close()


def test_what_came_while_the_first_was_loaded_is_newer(root: Path, newer: list[Bundle]) -> None:
    """A version published between a start's look at the folder and its end isn't taken for what is served."""

    class Overtaken(Supervised):
        def load(self, bundle: Bundle) -> LoadedModel:
            if not self.engines:
                shutil.copytree(newer[0].path, root / "v2")
            return super().load(bundle)

    one = Overtaken(root)
    assert one.embedder.embed(WORDS).model_version in ("1.0", newer[0].config.version)
    until(lambda: one.embedder.model.config.version == newer[0].config.version)
    one.close()


def test_one_version_can_not_be_two_models(kept: Callable[..., Supervised], root: Path, newer: list[Bundle]) -> None:
    """Replies of one version may be compared; so the same version with other weights is refused."""
    one = kept(selftest_s=0, reload_s=0)
    before = one.embedder.embed(WORDS)
    shutil.copytree(newer[0].path, root / "v2")
    config = (root / "v2" / "config.json").read_text()
    (root / "v2" / "config.json").write_text(config.replace(f'"{newer[0].config.version}"', '"1.0"'))
    one.supervisor.reload()
    until(lambda: one.shows("bothends_model_reloads_total", result="refused") == 1)
    assert one.embedder.embed(WORDS).rows.tobytes() == before.rows.tobytes()


def test_a_newer_model_that_can_not_be_loaded_is_refused(
    kept: Callable[..., Supervised], root: Path, newer: list[Bundle]
) -> None:
    """The one before goes on, whatever was in the way."""
    one = kept(selftest_s=0, reload_s=0)
    one.broken_loads, one.broken_by = 1, MemoryError()
    shutil.copytree(newer[0].path, root / "v2")
    one.supervisor.reload()
    until(lambda: one.shows("bothends_model_reloads_total", result="refused") == 1)
    assert one.embedder.embed(WORDS).model_version == "1.0"


def renamed(bundle: Bundle, folder: Path) -> None:
    """Copy `bundle` to `folder` under another name and version."""
    shutil.copytree(bundle.path, folder)
    config = (folder / "config.json").read_text()
    version = bundle.config.version
    (folder / "config.json").write_text(config.replace('"toy"', '"dragons"').replace(f'"{version}"', '"9"'))


@pytest.mark.parametrize("kind", ["name", "dimension"])
def test_another_model_takes_over_only_where_it_may(
    kept: Callable[..., Supervised],
    root: Path,
    make_bundle: Callable[..., Bundle],
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    """Vectors of two models can't be compared, and a wrong folder is soon copied."""
    one = kept(selftest_s=0, reload_s=0)
    before = one.embedder.embed(WORDS)
    if kind == "name":
        renamed(Bundle.open(root / "v1"), root / "v9")
    else:
        shutil.copytree(make_bundle(hidden_size=24, seed=9).path, root / "v9")
    one.supervisor.reload()
    until(lambda: one.shows("bothends_model_reloads_total", result="refused") == 1)
    assert one.embedder.embed(WORDS).rows.tobytes() == before.rows.tobytes()
    assert "is another model" in caplog.text
    assert "toy of 32 numbers is served" in caplog.text

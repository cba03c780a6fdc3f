"""One service, from its load to its end, without a port."""

import gc
import threading
from pathlib import Path

import pytest

from bothends.errors import BundleError, DrainingError
from bothends.model.bundle import Bundle
from bothends.observe.metrics import Metrics
from bothends.server.keys import Keys, new
from bothends.server.model_service import ModelService
from bothends.settings import Settings
from tests.support.until import TIMEOUT_S, until


def settings_of(folder: Path, **changes: object) -> Settings:
    return Settings(bundle=folder, device="cpu", workers=1, selftest_s=0, **changes)


def test_it_is_ready_between_its_start_and_its_stop(toy_bundle: Bundle) -> None:
    """Calls are let in before it says that it is fit, and after what start-up made is kept from collections."""
    states: list[object] = []
    service = ModelService.load(
        settings_of(toy_bundle.path), Metrics(), keys=None, on_fitness=lambda *state: states.append(state)
    )
    assert not service.is_ready()
    frozen = gc.get_freeze_count()
    service.start(lambda: states.append(("let in", service.is_ready(), gc.get_freeze_count() > frozen)))
    assert states == [("let in", False, True), ("toy", True), (None, True)]
    assert service.is_ready()
    service.begin_stop()
    assert not service.is_ready()
    assert service.is_fit(), "a model stays fit while its service stops"
    assert service.drain(0)
    with pytest.raises(DrainingError):
        service.concurrency.enter()
    assert service.close()


def test_its_end_leaves_no_thread(toy_bundle: Bundle) -> None:
    before = set(threading.enumerate())
    service = ModelService.load(settings_of(toy_bundle.path), Metrics(), keys=None)
    service.start()
    service.begin_stop()
    assert service.close()
    until(lambda: set(threading.enumerate()) <= before)


def test_a_load_that_fails_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with pytest.raises(BundleError):
        ModelService.load(settings_of(tmp_path / "nowhere"), Metrics(), keys=None)
    assert set(threading.enumerate()) <= before


def test_a_reload_reads_keys_and_what_else_is_asked_for(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Keys first; neither is read again by itself where `reload_s` is 0."""
    file = tmp_path / "keys.toml"
    (_, first), (key, second) = new("first"), new("second")
    file.write_text(first)
    settings = settings_of(toy_bundle.path, api_keys=file, reload_s=0)
    keys = Keys.load(settings)
    assert keys is not None
    reloaded = threading.Event()
    service = ModelService.load(settings, Metrics(), keys=keys, on_reload=reloaded.set)
    service.start()
    file.write_text(first + second)
    service.request_reload()
    assert reloaded.wait(TIMEOUT_S)
    account = keys.identify(f"Bearer {key}")
    assert account is not None
    assert account.name == "second"
    service.begin_stop()
    service.close()

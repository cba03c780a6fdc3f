"""Proofs of bundles by a process of their own: what is right is proved once, what isn't is refused within bounds."""

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bothends.core import proof
from bothends.core.proof import Process, digest, prove
from bothends.core.takeover import opened
from bothends.errors import BundleError, SelfTestError
from bothends.model.bundle import CONFIG, GOLDEN, Bundle, default_path, read_config
from bothends.settings import EmbedderSettings
from tests.chaos.hostile_bundles import joined, published
from tests.support.until import TIMEOUT_S

SETTINGS = EmbedderSettings()


@pytest.fixture(autouse=True)
def nothing_proved(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(proof, "_proved", set())
    return iter(())


def result(path: Path) -> str:
    with closing(prove(path, SETTINGS, niceness=0)) as begun:
        assert begun.has_ended(TIMEOUT_S)
        return begun.result()


def test_a_good_bundle_is_proved_once(toy_bundle: Bundle) -> None:
    """The same content needs no second process."""
    assert result(toy_bundle.path) == digest(toy_bundle.config)
    assert not isinstance(prove(toy_bundle.path, SETTINGS), Process)


def test_the_packaged_bundle_needs_no_proof(tmp_path: Path) -> None:
    """A copy of it needs none either: its start costs what it did."""
    shutil.copytree(default_path(), tmp_path / "copy")
    for path in (default_path(), tmp_path / "copy"):
        assert not isinstance(prove(path, SETTINGS), Process)
        assert result(path) == digest(read_config(path))


def test_another_models_golden_sentences_are_a_failed_self_test(
    toy_bundle: Bundle, newer: list[Bundle], tmp_path: Path
) -> None:
    def mixed_up(folder: Path) -> None:
        shutil.copy(newer[0].path / GOLDEN, folder)

    published(toy_bundle.path, tmp_path / "v2", mixed_up, version="2")
    with pytest.raises(SelfTestError, match="golden sentence") as raised:
        result(tmp_path / "v2")
    assert raised.value.difference > 0


def test_memory_is_bounded(toy_bundle: Bundle, tmp_path: Path) -> None:
    """A graph that would take gigabytes ends its own process, or is refused in it."""
    published(toy_bundle.path, tmp_path / "v2", joined, version="2")
    with pytest.raises(BundleError, match="v2"):
        result(tmp_path / "v2")


def test_what_is_closed_ends(toy_bundle: Bundle) -> None:
    begun = prove(toy_bundle.path, SETTINGS)
    begun.close()
    assert begun.has_ended(0)
    with pytest.raises(BundleError, match="killed"):
        begun.result()


def test_a_process_that_ends_waits_for_no_proof(toy_bundle: Bundle) -> None:
    """A process that fails may close nothing of what it began."""
    before = set(threading.enumerate())
    with closing(prove(toy_bundle.path, SETTINGS)):
        begun = set(threading.enumerate()) - before
        assert begun
        assert all(thread.daemon for thread in begun)


def test_another_bundle_in_its_place_is_not_what_was_proved(toy_bundle: Bundle, tmp_path: Path) -> None:
    shutil.copytree(toy_bundle.path, tmp_path / "v2")
    found = result(tmp_path / "v2")
    config = json.loads((tmp_path / "v2" / CONFIG).read_text())
    (tmp_path / "v2" / CONFIG).write_text(json.dumps(config | {"version": "9"}))
    with pytest.raises(BundleError, match="changed while it was proved"):
        opened(tmp_path / "v2", found)

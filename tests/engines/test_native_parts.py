"""What is said where bothends-native is missing: how much slower that is, and what to install."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from bothends.engines import native_parts
from bothends.engines.native_parts import Speeds, remedy
from tests.support.paths import ROOT

BY_PIP = f"pip install bothends-native=={version('bothends')}"
MEASURED = Speeds("a day, a processor, 2 cores", 8, 8450, 5000, 1072, 10_000, 4500)


@pytest.fixture
def by_pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The package where pip puts it."""
    installed = tmp_path / "lib" / "python3.13" / "site-packages" / "bothends" / "engines" / "native_parts.py"
    monkeypatch.setattr(native_parts, "__file__", str(installed))
    installed_from(monkeypatch, None)


def installed_from(monkeypatch: pytest.MonkeyPatch, url: str | None) -> None:
    """Have pip's metadata tell where bothends came from; None is an index, of which they tell nothing."""

    class Distribution:
        def read_text(self, _: str) -> str | None:
            return None if url is None else json.dumps({"dir_info": {}, "url": url})

    monkeypatch.setattr(native_parts, "distribution", lambda name: Distribution())


def test_the_cost_is_said_as_a_fraction_and_in_figures() -> None:
    """A fraction where it is small, per cent where it isn't."""
    beside = "of the sentences that the native parts do"
    assert MEASURED.served("engine") == f"1/8 {beside} (1,072 a second in place of 8,450, 8 callers)"
    assert MEASURED.served("transport") == f"59 % {beside} (5,000 a second in place of 8,450, 8 callers)"
    assert MEASURED.computed() == (
        "45 % of the sentences that the native engine does (with the packaged model 4,500 a second in place of 10,000)"
    )


def test_a_clone_is_told_what_to_install_and_to_build() -> None:
    """Without the engine a compiler is missing too; the libraries are those that the Makefile names."""
    compiler, libraries = "apt install g++ python3-dev ", remedy("transport").removeprefix("apt install ")
    assert remedy("engine") == compiler + libraries
    packages, _, build = libraries.partition(" && ")
    assert build == "make native"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"apt install {packages})" in makefile
    assert "apt install g++ python3-dev;" in makefile


@pytest.mark.usefixtures("by_pip")
def test_whoever_has_it_by_pip_is_told_of_pip_alone() -> None:
    """There is no Makefile there. A wheel has the transport; what was built without its libraries is built anew."""
    assert remedy("engine") == BY_PIP
    assert "make" not in remedy("transport")
    assert remedy("transport").endswith(BY_PIP.replace("install ", "install --force-reinstall --no-cache-dir "))

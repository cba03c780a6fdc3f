"""What is installed to be tried: our own builds, and from an index only what isn't ours."""

import zipfile
from importlib import import_module
from pathlib import Path

import pytest

from tests.support.released import RELEASE

OURS = ("bothends", "bothends-english", "bothends-native")


def make(folder: Path, name: str, version: str, *requires: str) -> None:
    """Make a wheel of nothing, with what its extra `cpu` asks for."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Provides-Extra: cpu"]
    lines += [f"Requires-Dist: {each}; extra == 'cpu'" for each in requires]
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", "\n".join(lines) + "\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


def test_what_an_index_has_by_our_names_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where that is newer, as a stranger's would be who took a name before us."""
    monkeypatch.syspath_prepend(str(RELEASE))
    try_wheels = import_module("try_wheels")
    needs = ("bothends-english", "bothends-native", "another")
    for name in (*OURS, "another"):
        index = tmp_path / "index" / name
        make(index, name, "99.0", *needs if name == "bothends" else ())
        (index / "index.html").write_text("".join(f'<a href="{file.name}">it</a>' for file in index.glob("*.whl")))
    for name in OURS:
        make(tmp_path / "ours", name, "1.0", *needs if name == "bothends" else ())
    for name, folder in {"OURS": tmp_path / "ours", "WHEELS": tmp_path / "ours", "ROOT": tmp_path}.items():
        monkeypatch.setattr(try_wheels, name, folder)
    for name, value in {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": (tmp_path / "index").as_uri()}.items():
        monkeypatch.setenv(name, value)
    programs = try_wheels.installed("here")
    found = {file.name for file in programs.parent.glob("lib/*/site-packages/*.dist-info")}
    assert found == {
        "another-99.0.dist-info",
        *(f"{name.replace('-', '_')}-1.0.dist-info" for name in OURS),
    }

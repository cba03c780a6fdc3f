"""Files that change under a value that was read of them."""

import logging
from pathlib import Path

import pytest

from bothends.errors import StartupError
from bothends.server.reloading import ReloadingFile, read_bytes
from tests.support.doors import AT_ONCE_S, put


@pytest.fixture
def file(tmp_path: Path) -> Path:
    put(tmp_path / "file", b"first")
    return tmp_path / "file"


def reading(file: Path, *, every_s: float) -> ReloadingFile[bytes]:
    def read() -> bytes:
        content = read_bytes(file, "--file")
        if content == b"broken":
            raise StartupError(f"--file {file}: is broken")
        return content

    return ReloadingFile([file], read, every_s=every_s)


def test_a_change_is_seen_once_the_value_is_asked_for(file: Path) -> None:
    """Moved into its place, or written over."""
    known = reading(file, every_s=AT_ONCE_S)
    assert known.value == b"first"
    put(file, b"second")
    assert known.value == b"second"
    file.write_bytes(b"the third")
    assert known.value == b"the third"


def test_a_broken_change_is_logged_once_and_not_used(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is gone isn't used either; the next good one is."""
    caplog.set_level(logging.ERROR)
    known = reading(file, every_s=AT_ONCE_S)
    put(file, b"broken")
    assert [known.value for _ in range(3)] == [b"first"] * 3
    assert [record.getMessage() for record in caplog.records] == [
        f"--file {file}: is broken; what was read before stays in use"
    ]
    file.unlink()
    assert known.value == b"first"
    put(file, b"second")
    assert known.value == b"second"


def test_without_an_interval_only_a_reload_looks(file: Path) -> None:
    """0 is never."""
    known = reading(file, every_s=0)
    put(file, b"second")
    assert known.value == b"first"
    known.reload()
    assert known.value == b"second"


def test_the_first_reading_must_be_good(tmp_path: Path) -> None:
    """The error names setting, file and reason."""
    with pytest.raises(StartupError, match=r"^--file .*nowhere: No such file or directory$"):
        reading(tmp_path / "nowhere", every_s=0)

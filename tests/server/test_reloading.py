"""Files that change under a value that was read of them."""

import logging
import os
import threading
from pathlib import Path

import pytest

from bothends.errors import StartupError
from bothends.server.reloading import ReloadingFile, read_bytes
from tests.support.doors import AT_ONCE_S, put
from tests.support.until import TIMEOUT_S, until


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
    until(lambda: known.value == b"second")
    file.write_bytes(b"the third")
    until(lambda: known.value == b"the third")


def test_a_broken_change_is_logged_once_and_not_used(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is gone isn't used either; the next good one is."""
    caplog.set_level(logging.ERROR)
    known = reading(file, every_s=AT_ONCE_S)
    put(file, b"broken")
    until(lambda: known.value == b"first" and caplog.records)
    assert [known.value for _ in range(3)] == [b"first"] * 3
    assert [record.getMessage() for record in caplog.records] == [
        f"--file {file}: is broken; what was read before stays in use"
    ]
    file.unlink()
    assert known.value == b"first"
    put(file, b"second")
    until(lambda: known.value == b"second")


def test_without_an_interval_only_a_reload_looks(file: Path) -> None:
    """0 is never."""
    known = reading(file, every_s=0)
    put(file, b"second")
    assert known.value == b"first"
    known.reload()
    until(lambda: known.value == b"second")


def test_the_first_reading_must_be_good(tmp_path: Path) -> None:
    """The error names setting, file and reason."""
    with pytest.raises(StartupError, match=r"^--file .*nowhere: No such file or directory$"):
        reading(tmp_path / "nowhere", every_s=0)


def test_a_file_that_never_comes_keeps_nobody(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file on a server that is gone: who finds a look due goes on soon, all others at once; then it is read again."""
    goes_on, reads = threading.Event(), 0

    def read() -> bytes:
        nonlocal reads
        reads += 1
        if reads == 2:
            goes_on.wait(TIMEOUT_S)
        return read_bytes(file, "--file")

    known = ReloadingFile([file], read, every_s=AT_ONCE_S)
    put(file, b"second")
    assert known.value == b"first"
    # Had each waited as the first did, the read would be over long before the last, and its content there.
    assert [known.value for _ in range(10_000)] == [b"first"] * 10_000
    known.reload()
    assert reads == 2
    goes_on.set()
    until(lambda: known.value == b"second")


def test_a_pipe_in_its_place_is_not_waited_for(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    known = reading(file, every_s=AT_ONCE_S)
    file.unlink()
    os.mkfifo(file)
    until(lambda: known.value and "is no regular file; what was read before stays in use" in caplog.text)
    assert known.value == b"first"
    with pytest.raises(StartupError, match=r"is no regular file$"):
        reading(file, every_s=0)
    file.unlink()
    put(file, b"second")
    until(lambda: known.value == b"second")


def test_an_endless_file_is_not_read(file: Path) -> None:
    os.truncate(file, 1 << 40)
    with pytest.raises(StartupError, match="are the most"):
        reading(file, every_s=0)

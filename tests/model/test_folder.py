"""Files of a folder that isn't trusted: read whole, or refused by name, and never waited for."""

import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from bothends.errors import BundleError
from bothends.model.folder import UntrustedFolder


def read(folder: Path, name: str = "file", *, max_bytes: int = 10) -> bytes:
    with UntrustedFolder(folder) as opened:
        return opened.read(name, max_bytes=max_bytes)


def test_a_file_is_read_whole_up_to_its_limit(tmp_path: Path) -> None:
    """A file is read at the limit, and one byte past it isn't."""
    (tmp_path / "file").write_bytes(b"0123456789")
    assert read(tmp_path) == b"0123456789"
    with pytest.raises(BundleError, match="file has 10 bytes; 9 are the most"):
        read(tmp_path, max_bytes=9)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists a process's open files here")
def test_no_file_stays_open(tmp_path: Path) -> None:
    """A server that reads one refused version after the other would have no descriptor left for callers."""
    (tmp_path / "file").write_bytes(b"0123456789")
    read(tmp_path)
    with pytest.raises(BundleError, match="9 are the most"):
        read(tmp_path, max_bytes=9)
    left = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # which another thread has closed
            left.append(descriptor.readlink())
    assert [file for file in left if file.is_relative_to(tmp_path)] == []


def test_a_huge_file_is_refused_by_its_size(tmp_path: Path) -> None:
    """A terabyte of nothing isn't read to find out."""
    with (tmp_path / "file").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BundleError, match="file has 1099511627776 bytes"):
        read(tmp_path)


@pytest.mark.parametrize("target", ["other", "../outside", "/etc/passwd", "/dev/zero", "nowhere", "file"])
def test_a_link_is_refused_wherever_it_leads(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "other").write_bytes(b"inside")
    (tmp_path / "outside").write_bytes(b"outside")
    (folder / "file").symlink_to(target)
    with pytest.raises(BundleError, match="folder/file can't be read: it is a symbolic link"):
        read(folder)


@pytest.mark.timeout(5)
def test_a_pipe_does_not_keep_the_reader_waiting(tmp_path: Path) -> None:
    """A FIFO without a writer would keep a plain open waiting for ever."""
    os.mkfifo(tmp_path / "file")
    with pytest.raises(BundleError, match="file is no regular file"):
        read(tmp_path)


def test_a_folder_a_device_and_a_socket_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(BundleError, match="file is no regular file"):
        read(tmp_path)
    with pytest.raises(BundleError, match="null is no regular file"):
        read(Path("/dev"), "null")
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        with pytest.raises(BundleError, match="s can't be read: No such device"):
            read(tmp_path, "s")


def test_a_missing_file_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="file is missing"):
        read(tmp_path)
    (tmp_path / "plain").write_bytes(b"")
    reasons = {
        "nowhere": "no such folder",
        "plain": "Not a directory",
        "\0": "embedded null",
        "x" * 9999: "name too long",
    }
    for path, reason in reasons.items():
        with pytest.raises(BundleError, match=f"there is no bundle at .*{reason}"):
            UntrustedFolder(tmp_path / path)


def test_a_link_to_a_folder_that_is_switched_midway_changes_nothing(tmp_path: Path) -> None:
    """Versions are switched so: a reader that has begun with one goes on with that one."""
    for version in ("1", "2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "file").write_text(version)
    current = tmp_path / "current"
    current.symlink_to("1")
    with UntrustedFolder(current) as opened:
        (tmp_path / "next").symlink_to("2")
        (tmp_path / "next").replace(current)
        assert opened.read("file", max_bytes=10) == b"1"
    assert read(current) == b"2"

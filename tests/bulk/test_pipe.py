"""In a pipe: lines in, JSON lines out, nothing held back from who waits; and where there is no room to write."""

import json
import os
import resource
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from bothends import Encoder
from bothends.model.bundle import Bundle
from tests.support.serving import BOTHENDS

from . import files
from .conftest import Embed, environment, lines, start, write_lines

MOUNT, UMOUNT = shutil.which("mount"), shutil.which("umount")


def test_lines_in_json_lines_out(embed: Embed, encoder: Encoder) -> None:
    """In order; about bad ones a line each on standard error, and else nothing there."""
    texts = lines(500)
    texts[7] = " "
    ended = embed("-", input="\n".join(texts) + "\n")
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [each["row"] for each in found] == [row for row in range(500) if row != 7]
    right = encoder.encode([text for text in texts if text.strip()])
    assert np.array([each["embedding"] for each in found], np.float32).tobytes() == right.tobytes()
    assert ended.stderr == '{"row": 7, "reason": "is empty; a sentence needs at least one word"}\n'


def test_other_formats_come_through_a_pipe_too(embed: Embed) -> None:
    ended = embed("-", "--input-format", "csv", "--keep", "id", input='id,text\n1,"two\nlines"\n')
    assert json.loads(ended.stdout)["id"] == "1"
    assert embed("-", "--input-format", "jsonl", input='{"text": "dragons"}').stderr == "column: text\n"
    assert embed("-", input="").stdout == ""


def test_nothing_is_held_back(toy_bundle: Bundle) -> None:
    """Each line is answered while its writer waits for that, as `tail -f` would have it."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with start("-", "--bundle", toy_bundle.path, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for row in range(5):
            process.stdin.write(f"dragons {row}\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["row"] == row
        process.stdin.close()
        assert process.wait(20) == 0


def test_head_ends_it_quietly(toy_bundle: Bundle) -> None:
    """Of an input without end; without a word, and as a shell expects of who was told by SIGPIPE."""
    command = f"yes dragons | {BOTHENDS} embed - --bundle {toy_bundle.path} | head -n 3; echo ${{PIPESTATUS[1]}}"
    told = {"capture_output": True, "text": True, "env": environment(), "timeout": 60}
    ended = subprocess.run(["bash", "-c", command], check=True, **told)  # type: ignore[call-overload]  # noqa: S607
    *rows, code = ended.stdout.splitlines()
    assert [json.loads(row)["row"] for row in rows] == [0, 1, 2]
    assert (code, ended.stderr) == ("141", "")


@pytest.mark.parametrize("output", files.OUTPUTS)
def test_no_room_to_write(embed: Embed, toy_bundle: Bundle, tmp_path: Path, output: str) -> None:
    """One line that says so. Once there is room, the same command makes the very file."""
    source = write_lines(tmp_path / "in.txt", lines(20_000))
    made, whole = tmp_path / f"out.{output}", tmp_path / f"whole.{output}"
    embed("--input", source, "--output", whole)
    limit = whole.stat().st_size // 2

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    said = embed("--input", source, "--output", made, code=1, preexec_fn=full).stderr
    assert said.startswith(f"Error: {made} can't be written: File too large; what was there stays")
    assert said.count("\n") == 1
    assert not made.exists()
    assert "going on after" in embed("--input", source, "--output", made).stderr
    assert made.read_bytes() == whole.read_bytes()


def test_a_full_disk(embed: Embed, tmp_path: Path) -> None:
    """As /dev/full has it for standard output, where nothing can be gone on with."""
    source = write_lines(tmp_path / "in.txt", lines(10))
    with Path("/dev/full").open("w") as full:
        said = embed("--input", source, code=1, capture_output=False, stdout=full, stderr=subprocess.PIPE).stderr
    assert said == "Error: standard output can't be written: No space left on device\n"


def test_a_full_tmpfs(embed: Embed, tmp_path: Path) -> None:
    """A real file system that has no room left, for the output or for its journal."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = [MOUNT, "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if MOUNT is None or os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    try:
        source = write_lines(tmp_path / "in.txt", lines(20_000))
        said = embed("--input", source, "--output", disk / "out.npy", code=1).stderr
        assert "can't be written: No space left on device" in said
        subprocess.run([MOUNT, "-o", "remount,size=30m", str(disk)], check=True)
        embed("--input", source, "--output", disk / "out.npy")
        embed("--input", source, "--output", tmp_path / "whole.npy")
        assert (disk / "out.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    finally:
        subprocess.run([UMOUNT, str(disk)], check=True)

"""Outputs: files that are made whole by the next run after any step, standard output, and disks without room."""

import json
import resource
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bothends import Encoder
from bothends.bulk.execute import execute
from bothends.bulk.job import Job
from bothends.bulk.journal import Commit, Journal
from bothends.errors import SettingsError
from bothends.model.bundle import Bundle
from bothends.options import EmbedOptions
from tests.bulk import files
from tests.bulk.conftest import Embed, KeptEngine, lines, write_lines


def test_lines_in_json_lines_out(embed: Embed, encoder: Encoder) -> None:
    """Lines are in order; of bad ones, each is told on standard error, and blank ones by one line at the end."""
    texts = lines(500)
    texts[7] = texts[9] = " "
    texts[8] = "\x01"
    ended = embed("-", input="\n".join(texts) + "\n")
    found = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [each["row"] for each in found] == [row for row in range(500) if row not in (7, 8, 9)]
    right = encoder.encode([text for text in texts if text.strip(" \x01")])
    assert np.array([each["embedding"] for each in found], np.float32).tobytes() == right.tobytes()
    bad, summary = ended.stderr.splitlines()
    assert json.loads(bad)["row"] == 8
    assert summary == "2 blank rows have no vector"


def test_other_formats_come_through_standard_input_too(embed: Embed) -> None:
    ended = embed("-", "--input-format", "csv", "--keep", "id", given='id,text\n1,"two\nlines"\n')
    assert json.loads(ended.stdout)["id"] == "1"
    assert embed("-", "--input-format", "jsonl", given='{"text": "dragons"}').stderr == "column: text\n"
    assert embed("-", given="", code=1).stdout == ""


@pytest.mark.parametrize("output", ["npy", pytest.param("jsonl", marks=pytest.mark.slow)])
def test_no_room_to_write(embed: Embed, toy_bundle: Bundle, tmp_path: Path, output: str) -> None:
    """One line that says so. Once there is room, the same command makes the very file."""
    source = write_lines(tmp_path / "in.txt", lines(3 * 4096))
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
    """Standard output may be full, as /dev/full is, where nothing can be gone on with."""
    source = write_lines(tmp_path / "in.txt", lines(10))
    with Path("/dev/full").open("w") as full:
        said = embed("--input", source, code=1, capture_output=False, stdout=full, stderr=subprocess.PIPE).stderr
    assert said == "Error: standard output can't be written: No space left on device\n"


class Killed(BaseException):
    """An error that no code expects."""


def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make what changes files raise at its `n`th call, before or after it was done."""
    state = {"left": 10**9}

    def counted(act: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            for moment in ("before", "after"):
                state["left"] -= 1
                if not state["left"]:
                    raise Killed
                if moment == "before":
                    result = act(*args, **options)
            return result

        return wrapped

    for where, names in ((Path, ("replace", "unlink")), (Journal, ("write", "remove"))):
        for name in names:
            monkeypatch.setattr(where, name, counted(getattr(where, name)))
    return lambda left: state.update(left=left)


def embedded(encoder: Encoder, source: Path, made: Path, output: str) -> int:
    """Run such a job in this process; returns its exit code."""
    options = EmbedOptions(truncation="start", normalize=False, dimensions=None, encoding="float32")
    job = Job(source, made, "txt", output, None, (), False, options)
    return execute(job, lambda: KeptEngine(encoder, options))


@pytest.mark.parametrize("output", files.OUTPUTS)
def test_every_step_of_the_end_may_be_the_last(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """Files are named one after another: stopped before or after each step, the next run does the rest."""
    texts = ["dragons", "", "a man"]
    source = write_lines(tmp_path / "in.txt", texts)

    def job(made: Path) -> int:
        return embedded(encoder, source, made, output)

    job(tmp_path / f"whole.{output}")
    right = [(tmp_path / f"whole.{output}{suffix}").read_bytes() for suffix in ("", ".bad.jsonl")]
    die_at = steps(monkeypatch)
    for step in range(1, 100):
        made = tmp_path / f"made{step}.{output}"
        die_at(step)
        try:
            job(made)
        except Killed:
            die_at(10**9)
            if not made.exists() or made.with_name(made.name + ".journal").exists():
                job(made)
        else:
            break
        assert [Path(f"{made}{suffix}").read_bytes() for suffix in ("", ".bad.jsonl")] == right, step
        assert files.beside(made) == [f"{made.name}.bad.jsonl"], step
    assert step > 12, "too few steps were found to stop at"
    die_at(10**9)


@pytest.mark.parametrize(("moment", "rows"), [("before", 0), ("after", 2)])
def test_ctrl_c_on_either_side_of_a_commit(
    encoder: Encoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    moment: str,
    rows: int,
) -> None:
    """A SIGINT may be felt while the journal is replaced: what is said is what is there."""
    source, made = write_lines(tmp_path / "in.txt", ["dragons", "a man"]), tmp_path / "out.npy"
    write, commits = Journal.write, list[int]()

    def interrupted(journal: Journal, job: Mapping[str, Any], commit: Commit) -> None:
        commits.append(commit.rows)
        if moment == "after" or len(commits) == 1:
            write(journal, job, commit)
        if len(commits) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "write", interrupted)
    assert embedded(encoder, source, made, "npy") == 130
    assert commits == [0, 2]
    assert files.committed(made) == rows
    assert f"stopped after {rows} rows; the same command goes on from there\n" in capsys.readouterr().err


def test_another_input_is_refused_also_where_only_names_were_left_to_give(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was killed at its very end has the vectors of its own input, not of one that came since."""
    source, made = write_lines(tmp_path / "in.txt", ["dragons", "a man"]), tmp_path / "out.npy"
    remove = Path.unlink

    def die(path: Path, **options: bool) -> None:
        if path.name == "out.npy.bad.jsonl":  # the first step after the last commit
            raise Killed
        remove(path, **options)

    with monkeypatch.context() as killed:
        killed.setattr(Path, "unlink", die)
        with pytest.raises(Killed):
            embedded(encoder, source, made, "npy")
    source.write_text("dragoon\na man\n")
    with pytest.raises(SettingsError, match="the input has changed"):
        embedded(encoder, source, made, "npy")
    source.write_text("dragons\na man\n")
    assert embedded(encoder, source, made, "npy") == 0
    assert files.beside(made) == []

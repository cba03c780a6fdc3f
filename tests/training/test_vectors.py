"""Teachers' vectors on disk: each sentence embedded once, whatever corpus asks for it and wherever a run is killed."""

import fcntl
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bothends_training import vectors
from tests.support.paths import ROOT

from .parrot import CHUNK, DIMENSION, SENTENCES, Parrot

cached_vectors = partial(vectors.cached_vectors, chunk=CHUNK)


def assert_right(found: vectors.Vectors, sentences: Sequence[str], parrot: Parrot) -> None:
    """Check that every sentence's vector is its own."""
    assert len(found) == len(sentences)
    assert found[:].dtype == np.float32
    np.testing.assert_array_equal(found[:], [parrot.of(sentence) for sentence in sentences])


def test_vectors_are_the_teachers_in_the_order_asked(tmp_path: Path) -> None:
    """Vectors come chunk by chunk, each reported as done; rows are found by their numbers."""
    parrot, reported = Parrot(), list[int]()
    found = cached_vectors(parrot, SENTENCES, tmp_path, reported.append)
    assert_right(found, SENTENCES, parrot)
    assert (found.dimension, found.kept.dtype) == (DIMENSION, np.dtype(np.float16))
    np.testing.assert_array_equal(found[np.array([7, 229, 0])], found[:][[7, 229, 0]])
    assert reported == [0, CHUNK, CHUNK, CHUNK, CHUNK, 30]


def test_a_sentence_is_embedded_once_for_all_corpora(tmp_path: Path) -> None:
    """A corpus that shares sentences with an older one, in any order, has only its own embedded."""
    parrot = Parrot()
    older = cached_vectors(parrot, SENTENCES[:150], tmp_path)
    parrot.asked.clear()
    reported: list[int] = []
    newer = SENTENCES[:80:-1]
    assert_right(cached_vectors(parrot, newer, tmp_path, reported.append), newer, parrot)
    assert parrot.asked == SENTENCES[:149:-1]
    assert reported == [69, CHUNK, 30]
    assert_right(older, SENTENCES[:150], parrot)
    parrot.asked.clear()
    assert_right(cached_vectors(parrot, SENTENCES, tmp_path), SENTENCES, parrot)
    assert parrot.asked == []


def test_another_teacher_has_vectors_of_its_own(tmp_path: Path) -> None:
    """A teacher of the same name, asked for the same sentences, but with other weights shares nothing."""
    cached_vectors(Parrot(), SENTENCES, tmp_path)
    other = Parrot("parrot of other weights")
    cached_vectors(other, SENTENCES, tmp_path)
    assert other.asked == SENTENCES


@pytest.mark.parametrize(
    ("between", "whole"),
    [("in a chunk", 3), ("after its vectors", 3), ("after its hashes", 1)],
)
def test_a_killed_run_goes_on_after_its_last_whole_chunk(tmp_path: Path, between: str, whole: int) -> None:
    """A SIGKILL at each place that matters loses no more than a chunk: what the process wrote before is kept."""
    calls = 2 * whole + (between == "after its vectors")
    script = f"""
import os, signal
from pathlib import Path
from bothends_training.vectors import cached_vectors
from tests.training.parrot import CHUNK, SENTENCES, Parrot

class Doomed(Parrot):
    def embed(self, sentences):
        if {between == "in a chunk"} and len(self.asked) == {whole * CHUNK}:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().embed(sentences)

flush, calls = os.fsync, []
def doomed(file):
    flush(file)
    calls.append(file)
    if {between != "in a chunk"} and len(calls) == {calls}:
        os.kill(os.getpid(), signal.SIGKILL)

os.fsync = doomed
cached_vectors(Doomed(), SENTENCES, Path({str(tmp_path)!r}), chunk=CHUNK)
"""
    killed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    parrot = Parrot()
    assert_right(cached_vectors(parrot, SENTENCES, tmp_path), SENTENCES, parrot)
    assert parrot.asked == SENTENCES[whole * CHUNK :]


@pytest.mark.parametrize(("file", "change"), [("sentences.u64", 3), ("vectors.f16", -7)])
def test_a_torn_row_is_dropped(tmp_path: Path, file: str, change: int) -> None:
    """A power cut that left bytes too few or too many in either file loses only the row that they are of."""
    parrot = Parrot()
    cached_vectors(parrot, SENTENCES, tmp_path)
    torn = next(tmp_path.iterdir()) / file
    content = torn.read_bytes()
    torn.write_bytes(content[:change] if change < 0 else content + b"x" * change)
    lost = SENTENCES[-1:] if change < 0 else []
    for asked, new in ((SENTENCES, lost), ([*SENTENCES, "one more"], ["one more"])):
        parrot.asked.clear()
        assert_right(cached_vectors(parrot, asked, tmp_path), asked, parrot)
        assert parrot.asked == new


def test_one_process_at_a_time_fills_a_teachers_folder(tmp_path: Path) -> None:
    """Processes would write into each other's rows. One that finds all that it asks for waits for no other."""
    holding: list[bool] = []

    class Watched(Parrot):
        def embed(self, sentences: Sequence[str]) -> NDArray[np.float32]:
            with (next(tmp_path.iterdir()) / "sentences.u64").open("ab") as other:
                try:
                    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    holding.append(True)
            return super().embed(sentences)

    cached_vectors(Watched(), SENTENCES, tmp_path)
    assert holding == [True] * 5
    with (next(tmp_path.iterdir()) / "sentences.u64").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert_right(cached_vectors(Parrot(), SENTENCES, tmp_path), SENTENCES, Parrot())

"""Mutexes and Python's own lock, as they are counted of a program, and added up."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from locks import Counted, Mutex, compile_library, counting

PROGRAM = """
import hashlib, os, signal, time

def tell():
    time.sleep(0)  # gives the lock back: what is held still isn't counted yet
    os.kill(os.getpid(), signal.SIGRTMIN)
    with open(os.environ["HELD_OUT"]) as file:
        print(file.read().splitlines()[-1])

def burn(work):
    began = time.thread_time()
    while time.thread_time() - began < 0.2:
        work()
    print(time.thread_time() - began)
    tell()

tell()
burn(lambda: sum(range(1000)))
data = bytes(10_000_000)
burn(lambda: hashlib.sha256(data))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that counts, or skip where it can't be compiled."""
    try:
        return compile_library(tmp_path_factory.mktemp("held"))
    except click.ClickException as missing:
        pytest.skip(missing.message)


def test_pythons_own_lock_is_counted(library: Path, tmp_path: Path) -> None:
    """Python holds it for all that it computes itself, and for next to nothing of a hash of ten megabytes."""
    variables = counting(library, tmp_path / "told")
    command = [sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True)
    _, in_python, by_python, in_hashes, by_hashes = map(json.loads, ran.stdout.splitlines())
    assert by_python["module"] == by_hashes["module"] == "GIL"
    assert by_python["cpu_s"] == pytest.approx(in_python, rel=0.1)
    assert by_hashes["cpu_s"] < 0.1 * in_hashes


def test_a_mutex_within_another_counts_once() -> None:
    """The transport's are added up; the longest is the longest of all modules', by the clock and by processor time."""
    outer, inner = Mutex("_transport", 0.1, 7.0, 5.0, 0.0, 0.5), Mutex("_transport", 0.2, 9.0, 6.0, 6.5, 0.25)
    other, gil = Mutex("_engine", 0.2, 1.0, 8.0, 0.0, 9.0), Mutex("GIL", 0.01, 2.0, 1.5, 0.0, 0.0)
    held = Counted("x", "y", 1000.0, [inner, outer, other], gil).held()
    assert (held.longest_us, held.longest_cpu_us, held.sum_us, held.waited_us) == (9.0, 8.0, 9.5, 0.75)
    assert (held.gil_us, held.lock_us) == (1.5, 8.0)

"""Lines, budgets and calls of the transport without sockets, by a program of their own (native/check/units)."""

import os
import shutil
import sys

import pytest

from tests.support.paths import ROOT
from tests.support.ran import ran

NATIVE = ROOT / "native"
SANITIZERS = ("LD_PRELOAD", "ASAN_OPTIONS", "TSAN_OPTIONS")
"""What this process may be run with, and the program is not: it has sanitizers of its own."""


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.timeout(1800)  # a busy machine compiles for minutes
@pytest.mark.skipif(not shutil.which(os.environ.get("CXX", "c++")), reason="there is no C++ compiler")
def test_the_parts_of_the_transport() -> None:
    """Each of the program's tests passes; ASan and UBSan find nothing, and nothing leaks."""
    environment = {name: value for name, value in os.environ.items() if name not in SANITIZERS}
    built = ran(NATIVE / "check/build.sh", sys.executable, "units", env=environment)
    assert built.returncode == 0, built.stderr
    found = ran(NATIVE / "build/units/units", env=environment)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "passed a_call_is_answered_and_nothing_is_left_of_it" in found.stdout

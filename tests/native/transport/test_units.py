"""Lines, budgets and calls of the transport without sockets, by a program of their own (native/check/units)."""

import os
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "native/check/units.sh"
SANITIZERS = ("LD_PRELOAD", "ASAN_OPTIONS", "TSAN_OPTIONS")
"""What this process may be run with, and the program is not: it has sanitizers of its own."""


def test_the_parts_of_the_transport() -> None:
    """Each of the program's tests passes; ASan and UBSan find nothing, and nothing leaks."""
    environment = {name: value for name, value in os.environ.items() if name not in SANITIZERS}
    ran = subprocess.run([SCRIPT], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "passed a_call_is_answered_and_nothing_is_left_of_it" in ran.stdout

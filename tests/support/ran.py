"""Runs a program to its end."""

import subprocess
from pathlib import Path
from typing import Any


def ran(*command: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a program, and return its exit code and what it said; `options` are subprocess.run's."""
    return subprocess.run(command, **({"capture_output": True, "text": True, "check": False} | options))

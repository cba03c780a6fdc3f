"""Runs a program to its end."""

import subprocess
from pathlib import Path
from typing import Any


def ran(*command: str | Path, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run a program, and return its exit code and what it said; `options` are subprocess.run's."""
    check = options.pop("check", False)
    return subprocess.run(command, check=check, **({"capture_output": True, "text": True} | options))

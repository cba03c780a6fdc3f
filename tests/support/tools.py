"""Programs and packages that only `make test-full` installs: tests by them are skipped where they are missing."""

import ast
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

INSTALLED_BY = "make test-full"
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason=f"PyTorch isn't installed ({INSTALLED_BY})")


def program(name: str) -> Path:
    """Return the path of a program that a package brings, or skip the test."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        pytest.skip(f"{name} isn't installed ({INSTALLED_BY})")
    return path


def need_imports_of(code: str) -> None:
    """Skip the test if a module that `code` imports isn't installed."""
    for node in ast.walk(ast.parse(code)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        for name in names:
            if not find_spec(name.partition(".")[0]):
                pytest.skip(f"{name} isn't installed ({INSTALLED_BY})")

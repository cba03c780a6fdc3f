"""Imports scripts that are in no package."""

import importlib.util
from pathlib import Path
from types import ModuleType


def module(script: Path) -> ModuleType:
    """Import a script, under its file's name."""
    spec = importlib.util.spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made

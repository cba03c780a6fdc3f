"""Follows a guide to its end: runs its programs and commands in a folder, one after another, on free ports."""

import os
import re
import sys
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.ran import ran
from tests.support.serving import BOTHENDS, Running, finish, start
from tests.support.shown import Shown

GUIDES = ROOT / "docs" / "guides"


def follow(name: str, folder: Path) -> None:
    """Run the programs and commands of docs/guides/`name` in `folder`, and hold its outputs to what is shown.

    `bothends serve` serves until the page ends; ports alone are other ones.
    """
    text = (GUIDES / name).read_text(encoding="utf-8")
    printed, server = "", None
    try:
        for language, block in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL):
            if language == "text":
                assert Shown("", block).is_outline_of(printed), printed
            elif language == "toml":
                (folder / "encoder.toml").write_text(block, encoding="utf-8")
            elif block.startswith("bothends serve"):
                server = _served(block, folder)
            else:
                printed = _run(language, block, folder, server)
    finally:
        if server is not None:
            finish(server)


def _served(line: str, folder: Path) -> Running:
    *_, bundle = line.split()
    return start("--bundle", str(folder / bundle), "--device", "cpu")


def _run(language: str, block: str, folder: Path, server: Running | None) -> str:
    if server is not None:
        block = block.replace("127.0.0.1:50051", server.target)
    command = {"sh": ["bash", "-euo", "pipefail", "-c", block], "python": [sys.executable, "-c", block]}[language]
    environment = os.environ | {"PATH": f"{BOTHENDS.parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
    ended = ran(*command, cwd=folder, env=environment)
    assert ended.returncode == 0, f"{block}\n{ended.stdout}{ended.stderr}"
    return ended.stdout

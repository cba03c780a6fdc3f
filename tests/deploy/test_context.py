"""The context of an image: .dockerignore keeps nothing from it that the Dockerfile copies, or that is compiled."""

import os
import re
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.ran import ran


@pytest.fixture(scope="module")
def context() -> set[str]:
    """Tracked files that are sent to the engine: `!` lets in what an earlier line keeps out; the last one decides."""
    listed = ran("git", "ls-files", cwd=ROOT, check=True)
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]

    def is_sent(file: str) -> bool:
        sent = True
        for rule in rules:
            if rule == "*" or (file + "/").startswith(rule.removeprefix("!") + "/"):
                sent = rule.startswith("!")
        return sent

    return {file for file in listed.stdout.splitlines() if is_sent(file)}


def test_what_the_dockerfile_copies_is_sent(context: set[str]) -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    sources = " ".join(copied).split()
    assert "native" in sources
    sources.remove("dist/wheels")  # made, not tracked
    assert "!dist/wheels" in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for source in sources:
        assert source in context or any(file.startswith(f"{source}/") for file in context), source


def test_what_is_compiled_is_sent(context: set[str]) -> None:
    """Sources that CMake names, and headers of ours that they include, directly or not."""
    native = ROOT / "native"
    named = re.findall(r"[\w/]+\.(?:cpp|map)", (native / "CMakeLists.txt").read_text(encoding="utf-8"))
    waiting = [native / name.removeprefix("/") for name in named if not name.startswith("check/")]
    seen = set[str]()
    while waiting:
        path = Path(os.path.normpath(waiting.pop()))
        if (name := path.relative_to(ROOT).as_posix()) in seen:
            continue
        seen.add(name)
        waiting += [path.parent / header for header in re.findall(r'^#include "(.+)"$', path.read_text(), re.MULTILINE)]
    assert seen > {"native/shared/borrowed.hpp", "native/wordpiece/binding.cpp"}
    assert sorted(seen - context) == []


def test_what_is_installed_is_sent(context: set[str]) -> None:
    listed = ["service", "export", "training/bothends_training", "native/bothends_native"]
    tracked = ran("git", "ls-files", *listed, cwd=ROOT, check=True)
    assert sorted(set(tracked.stdout.splitlines()) - context) == []

"""The benchmark's load generator: cheap enough to offer ten times what a server can do."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import pytest
from benchmarks.load import build as generator

_OVER_S = 60.0


class Load:
    """One run of it, which is measured from `begin` on."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def begin(self) -> None:
        """Return once its warm-up is over."""
        self._await("begin\n")

    def result(self, when_over: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """Wait for its end; return its figures. `when_over` is called after the last request."""
        self._await("end\n")
        when_over()
        output, _ = self._process.communicate(timeout=_OVER_S)
        assert self._process.returncode == 0
        found: dict[str, Any] = json.loads(output)
        return found

    def _await(self, line: str) -> None:
        assert self._process.stderr is not None
        said = next((said for said in self._process.stderr if said == line or said.startswith("load:")), "nothing")
        assert said == line, said


def build() -> None:
    """Compile it, or skip where that can't be."""
    try:
        generator.build()
    except click.ClickException as missing:
        pytest.skip(missing.message)


@contextmanager
def loading(port: int, *flags: str) -> Iterator[Load]:
    """Run it against a port of 127.0.0.1, and end it with the block; skips where it can't be built."""
    build()
    command = [str(generator.GENERATOR), "--port", str(port), "--seed", "0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Load(process)
        finally:
            process.kill()

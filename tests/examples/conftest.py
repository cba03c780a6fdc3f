"""A started server, and examples that are run against it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.support.serving import Running, finish, start

from . import play
from .notes import EXAMPLES

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def served() -> Iterator[Running]:
    running = start("--bundle", "old=", "--bundle", "new=?engine=onnxruntime")  # as while an encoder is replaced
    yield running
    finish(running)


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Processes that need not import what the examples stand on: they are forked from one that has."""
    context = ForkServerContext()
    context.set_forkserver_preload([play.__name__, *play.IMPORTED])
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "1")  # it is read when the modules are imported
        forkserver.ensure_running()
    return context


@pytest.fixture
def run(served: Running, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, processes: ForkServerContext) -> Run:
    """Run an example in a folder of its own, against the server unless --server says otherwise."""

    def run(example: str, *arguments: object, text: str | None = None) -> subprocess.CompletedProcess[str]:
        streams = tmp_path_factory.mktemp("streams")
        (streams / "in").write_text(text or "", encoding="utf-8")
        command = [str(EXAMPLES / example), *map(str, arguments)]
        environment = os.environ | {"BOTHENDS_SERVER": served.target}
        process = processes.Process(target=play.play, args=(command, tmp_path, dict(environment), streams))
        process.start()
        process.join(100)
        assert process.exitcode is not None, f"{command} has not ended"
        output, errors = ((streams / name).read_text(encoding="utf-8") for name in ("out", "err"))
        return subprocess.CompletedProcess(command, process.exitcode, output, errors)

    return run


def output(finished: subprocess.CompletedProcess[str]) -> str:
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def refusal(finished: subprocess.CompletedProcess[str]) -> str:
    """Return the one line on standard error of a run that failed."""
    assert finished.returncode == 1, finished.stdout
    assert finished.stdout == ""
    (line,) = (line for line in finished.stderr.splitlines() if not line.startswith("Embedding "))  # a progress bar's
    return line

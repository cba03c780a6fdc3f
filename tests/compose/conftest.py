"""An engine, and the stack on it, built and started once for all tests."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest

from .stack import ENGINE, Stack, docker, inspect

IMAGE_LIMIT_BYTES = 250_000_000
FIGURES = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print all figures."""
    for name, value in config.stash[FIGURES].items():
        terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> dict[str, str]:
    """Figures that tests measured, by name; printed at the end."""
    return pytestconfig.stash[FIGURES]


@pytest.fixture(scope="session")
def engine() -> None:
    """A container engine that answers, or the reason why there is none."""
    if command := os.environ.get("BOTHENDS_TEST_ENGINE"):
        subprocess.run(shlex.split(command), check=True, timeout=600)
    if shutil.which("docker") is None:
        pytest.skip("needs docker with compose; there is no docker command here")
    for question in (["info"], ["compose", "version"]):
        answer = subprocess.run(["docker", *question], env=ENGINE, capture_output=True, text=True, check=False)  # noqa: S607
        if answer.returncode:
            pytest.skip(f"needs docker with compose; `docker {question[0]}` says: {answer.stderr.strip()[-200:]}")


@pytest.fixture(scope="session")
def stack(engine: None, figures: dict[str, str]) -> Iterator[Stack]:
    """The whole stack with its defaults, but for the ports."""
    running = Stack()
    try:
        running.compose("build")
        running.up()
        (embedder,) = running.containers("embedder")
        running.healthy_after_s = seconds_to_healthy(embedder)
        figures["embedder healthy after"] = f"{running.healthy_after_s:.1f} s"
        yield running
    finally:
        running.remove(images=True)


@pytest.fixture
def other(stack: Stack) -> Iterator[Callable[..., Stack]]:
    """Another project of the same images, with an environment of its own."""
    made: list[Stack] = []

    def make(**environment: str) -> Stack:
        images = {name: stack.environment[name] for name in ("EMBEDDER_IMAGE", "GATEWAY_IMAGE")}
        made.append(Stack(**images, **environment))
        return made[-1]

    yield make
    for project in made:
        project.remove(images=False)


def seconds_to_healthy(container: str) -> float:
    """Seconds from a container's start to the end of the first health check that passed.

    The engine keeps the last five checks, so this is to be asked soon after the start.
    """
    state = inspect(container)["State"]
    passed = next(check["End"] for check in state["Health"]["Log"] if check["ExitCode"] == 0)
    return (moment(passed) - moment(state["StartedAt"])).total_seconds()


def moment(text: str) -> datetime:
    """Parse a time of the engine, whose nanoseconds are more than Python reads."""
    return datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00")


def size_without_base(image: str, base: str) -> int:
    """Bytes that an image adds to its base."""
    whole, below = docker("image", "inspect", "--format", "{{.Size}}", image, base).split()
    return int(whole) - int(below)

"""Options and fixtures of the attacks: their form, and their figures, printed at the end and kept by --report."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.support import shards
from tests.support.serving import Running, finish, start

from .answers import Reference
from .report import Attack, in_words, keep

FIGURES = pytest.StashKey[dict[str, Attack]]()
NOTED_BY = pytest.StashKey[dict[str, set[str]]]()
"""The tests that noted an attack's figures."""
FOLDER = Path(__file__).parent
SHORT_TIMEOUT_S, LONG_TIMEOUT_S = 240, 3600
T = TypeVar("T")


@dataclass(frozen=True)
class Form:
    """Length of the attacks: long, or short enough for continuous integration."""

    long: bool

    def pick(self, short: T, long: T) -> T:
        """Return this form's one of the two."""
        return long if self.long else short

    def __str__(self) -> str:
        number = shards.asked()
        return self.pick("short", "long") + (f" with {number} shards" if number else "")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = {}
    config.stash[NOTED_BY] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each attack more time than another test may take."""
    limit = LONG_TIMEOUT_S if config.getoption("--long") else SHORT_TIMEOUT_S
    for item in items:
        if FOLDER in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(limit))


@pytest.fixture(scope="session")
def form(pytestconfig: pytest.Config) -> Form:
    """The short form, or with --long the long one."""
    return Form(pytestconfig.getoption("--long"))


@pytest.fixture(scope="session")
def reference() -> Reference:
    """Sentences, and the bytes that are right for them."""
    return Reference.compute()


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Running]]:
    """`serving.start`, with a log in a file; what was started ends with the test."""
    started: list[Running] = []

    def start_and_note(*flags: str, **options: Any) -> Running:
        started.append(start(*flags, **{"log": tmp_path_factory.mktemp("log") / "log", **options}))
        return started[-1]

    yield start_and_note
    for running in started:
        finish(running)


@pytest.fixture
def record(request: pytest.FixtureRequest, form: Form) -> Callable[..., None]:
    """Return `record(attack, lost=0, calls=1000, …)`, which notes figures; a name ends in its unit (`_percent`).

    A second time, for the same attack, it adds to the first.
    """
    module = inspect.getmodule(request.function)
    assert module is not None
    assert module.__doc__, "the docstring says which promise is attacked"
    promise = " ".join(module.__doc__.split("\n\n")[0].split())
    figures = request.config.stash[FIGURES]

    def note(attack: str, **measured: float | str) -> None:
        earlier = figures[attack].figures if attack in figures else {}
        figures[attack] = Attack(request.path.name, promise, str(form), earlier | measured)
        request.config.stash[NOTED_BY].setdefault(attack, set()).add(request.node.nodeid)

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print all figures."""
    for name, attack in config.stash[FIGURES].items():
        terminalreporter.write_line(f"{name}: {in_words(attack.figures)}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the figures of each attack that held to the file of --report, and beside it."""
    file, config = session.config.getoption("--report"), session.config
    reporter = config.pluginmanager.getplugin("terminalreporter")
    broken = {report.nodeid for kind in ("failed", "error") for report in reporter.stats.get(kind, [])}
    held = {name: attack for name, attack in config.stash[FIGURES].items() if not config.stash[NOTED_BY][name] & broken}
    if file is not None and held:
        keep(held, file)

"""Leaves out of a run of pytest what has passed in another: `--passed FILE` writes a list, `--but FILE` reads it.

Continuous integration tests first where little is installed, and then, where everything is, what was skipped there.
"""

from pathlib import Path

import pytest


class Passed:
    """Writes the node ids of tests that passed to a file, one a line, when the run ends."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._found: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the name of a test whose call has passed."""
        if report.when == "call" and report.passed:
            self._found.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """Write the list."""
        self._file.write_text("".join(f"{node}\n" for node in sorted(self._found)), encoding="utf-8")


class But:
    """Deselects tests that a file lists."""

    def __init__(self, file: Path) -> None:
        self._passed = set(file.read_text(encoding="utf-8").splitlines())

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Take out what has passed already."""
        left_out = [item for item in items if item.nodeid in self._passed]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.nodeid not in self._passed]


def add_options(parser: pytest.Parser) -> None:
    """Add the two options."""
    group = parser.getgroup("passed", "what has passed in another run")
    group.addoption("--passed", type=Path, metavar="FILE", help="write the tests that passed to FILE")
    group.addoption("--but", type=Path, metavar="FILE", help="leave out the tests that FILE lists")


def configure(config: pytest.Config) -> None:
    """Do what was asked for. Workers of pytest-xdist leave the list to the process that started them."""
    if (file := config.getoption("--passed")) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Passed(file))
    if file := config.getoption("--but"):
        config.pluginmanager.register(But(file))

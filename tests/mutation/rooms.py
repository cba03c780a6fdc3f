"""Rooms whose code is broken on purpose, each with the tests that should notice."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.paths import ROOT


@dataclass(frozen=True, slots=True)
class Room:
    """Sources, as patterns, and tests, as files and folders, relative to the repository."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    options: tuple[str, ...] = ()
    """Pytest's."""
    is_native: bool = False
    """True where the sources are C++, which is built before tests run; its faults are those of faults.toml alone."""

    def files(self, root: Path = ROOT) -> list[str]:
        """Sources under `root`, in order."""
        found = {str(path.relative_to(root)) for pattern in self.sources for path in root.glob(pattern)}
        return sorted(name for name in found if not name.endswith("__init__.py"))

    def tests_for(self, source: str, root: Path) -> list[str]:
        """Test files under `root`, those named after `source` first, which most often notice."""
        own = f"test_{Path(source).stem}"
        return sorted(self._tests(root), key=lambda name: (not Path(name).stem.startswith(own), name))

    def _tests(self, root: Path) -> Iterator[str]:
        for name in self.tests:
            path = root / name
            found = path.rglob("test_*.py") if path.is_dir() else [path]
            yield from (str(file.relative_to(root)) for file in found if file.exists())


def _python(room: str, *tests: str) -> Room:
    return Room((f"service/bothends/{room}/*.py",), (f"tests/{room}", *tests))


def _native(part: str, *options: str, beside: tuple[str, ...] = ()) -> Room:
    return Room((f"native/{part}/*.?pp",), (f"tests/native/{part}", *beside), options, is_native=True)


ROOMS = {
    "batching": _python("batching"),
    "core": _python("core", "tests/test_encoder.py", "tests/test_options.py"),
    "engines": _python("engines"),
    "server": Room(
        tuple(
            f"service/bothends/server/{module}.py" for module in ("quota", "usage", "dispatch", "responder", "banner")
        ),
        tuple(
            f"tests/server/test_{module}.py"
            for module in ("quota", "usage", "dispatch", "responder", "context", "banner")
        ),
    ),
    "http": Room(
        tuple(f"service/bothends/server/http/{module}.py" for module in ("hosts", "call", "body")),
        (
            *(f"tests/server/http/test_{module}.py" for module in ("hosts", "call")),
            "tests/server/fronts/ollama/test_endpoints.py",
        ),
    ),
    "fronts": Room(
        tuple(f"service/bothends/server/fronts/{front}/*.py" for front in ("tei", "ollama", "kserve")),
        (
            *(f"tests/server/fronts/{front}/test_endpoints.py" for front in ("tei", "ollama", "kserve")),
            "tests/server/fronts/test_every_method.py",
        ),
    ),
    "search": Room(
        ("service/bothends/search/*.py", "service/bothends/cli/search.py"), ("tests/search", "tests/cli/test_search.py")
    ),
    "settings": Room(
        ("service/bothends/settings/ports.py",), ("tests/test_settings.py", "tests/server/http/test_cors.py")
    ),
    "wire": _python("wire"),
    "model": _python("model"),
    "observe": Room(("service/bothends/observe/metrics.py",), ("tests/observe/test_metrics.py",)),
    "training": Room(
        tuple(f"training/bothends_training/{module}.py" for module in ("augment", "evaluate", "history", "swaps")),
        tuple(f"tests/training/test_{module}.py" for module in ("augment", "evaluate", "history", "swaps")),
    ),
    # No conftest.py but the transport's own: PyTorch, which the others import, takes seconds. One test needs them.
    "transport": _native(
        "transport",
        "--confcutdir=tests/native/transport",
        "--deselect=tests/native/transport/test_called_encoder.py::test_onnxruntime_computes_the_bits_of_each_sentence_alone",
    ),
    "engine": _native("engine"),
    # From Python only text comes that is one; bytes that aren't come from callers.
    "wordpiece": _native("wordpiece", beside=("tests/native/transport/test_fast_path.py",)),
}

"""A copy of the tree, into which mutants are put one at a time, built, and tested."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.mutants import Mutant
from tests.mutation.rooms import Room
from tests.support.paths import ROOT

BUILD_S = 900
"""Longer than any build takes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A mutant's end."""

    state: str
    """One of "killed", "timed out", "survived" and "not built"."""
    test: str = ""
    """The first test that noticed."""


class FailsAnywayError(Exception):
    """Tests fail, or the code can't be built, without any fault."""


class Tree:
    """A copy of the tree that is gone at the end. The working tree is never touched."""

    def __init__(self, folder: Path, room: Room) -> None:
        self.root = folder / "tree"
        self._room = room
        self._build, self._installed = folder / "build", folder / "installed"
        self._limit_s = 0.0
        self._written_s = int(time.time())

    def measure(self) -> float:
        """Seconds that the room's tests take without a fault. Those with one have four times as long.

        Raises:
            FailsAnywayError: They fail.

        """
        began = time.monotonic()
        self._limit_s = BUILD_S
        if self._room.is_native and (said := self._built()):
            raise FailsAnywayError(said)
        began = time.monotonic()
        state, said = self._tested(self._room.tests_for("", self.root))
        if state != "survived":
            raise FailsAnywayError(said)
        taken = time.monotonic() - began
        self._limit_s = 10 + 4 * taken
        return taken

    def outcome(self, mutant: Mutant) -> Outcome:
        """Put `mutant` in place of its file's code, run the room's tests, and put the code back."""
        self._write(mutant.file, mutant.after)
        try:
            if self._room.is_native and self._built():
                return Outcome("not built")
            state, said = self._tested(self._room.tests_for(mutant.file, self.root))
        finally:
            self._write(mutant.file, mutant.before)
        noticed = re.search(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
        return Outcome(state, noticed[1] if noticed else "")

    def _write(self, file: str, code: str) -> None:
        """Write `code`, a second later than what was written last: compiled files are known by whole seconds."""
        (self.root / file).write_text(code, encoding="utf-8")
        self._written_s = max(self._written_s + 1, int(time.time()))
        os.utime(self.root / file, (self._written_s, self._written_s))

    def _built(self) -> str:
        """Build the native modules; what went wrong, or nothing."""
        cmake = Path(sysconfig.get_path("scripts")) / "cmake"
        nanobind = subprocess.check_output([sys.executable, "-m", "nanobind", "--cmake_dir"], text=True).strip()
        found = [f"-DPython_EXECUTABLE={sys.executable}", f"-Dnanobind_DIR={nanobind}"]
        for arguments in (
            ["-S", self.root / "native", "-B", self._build, *found],
            ["--build", self._build, "--parallel"],
            ["--install", self._build, "--prefix", self._installed],
        ):
            command = [str(cmake), *map(str, arguments)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=BUILD_S)
            if done.returncode != 0:
                return done.stdout + done.stderr
        return ""

    def _tested(self, tests: list[str]) -> tuple[str, str]:
        """State after `tests`, until the first that fails, and what pytest said."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-o"]
        command += [f"timeout={self._limit_s / 2:.0f}", *self._room.options, *tests]
        paths = [self._installed, *(self.root / name for name in ("service", "export", "training"))]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
        with subprocess.Popen(
            command,
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as running:
            try:
                said, _ = running.communicate(timeout=self._limit_s)
            except subprocess.TimeoutExpired:
                return "timed out", ""
            finally:
                with suppress(ProcessLookupError):  # nothing that the tests started may stay
                    os.killpg(running.pid, signal.SIGKILL)
        return ("survived" if running.returncode == 0 else "killed"), said


@contextmanager
def copied(commit: str | None, room: Room) -> Iterator[Tree]:
    """A copy of `commit`, or else of the working tree without what git ignores."""
    with tempfile.TemporaryDirectory(prefix="bothends-mutation-") as folder:
        tree = Tree(Path(folder), room)
        tree.root.mkdir()
        if commit:
            packed = _git("archive", commit)
            with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
                archive.extractall(tree.root, filter="data")
        else:
            for name in _git("ls-files", "-coz", "--exclude-standard").decode().split("\0"):
                if (ROOT / name).is_file():
                    (tree.root / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(ROOT / name, tree.root / name)
        yield tree


def _git(*arguments: str) -> bytes:
    return subprocess.check_output(["git", *arguments], cwd=ROOT)  # noqa: S607  the one in PATH

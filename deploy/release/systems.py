"""The systems that wheels are tried in: what pip of each needs, what is installed there, and what is run."""

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

ROOT = Path(__file__).parents[2]
RELEASE = ROOT / "deploy" / "release"
WHEELS = ROOT / "dist" / "wheels"
WHEELHOUSE = ROOT / ".venv" / "wheelhouse"
OURS = WHEELHOUSE / "ours"
COMPILERS = ("cc", "c++", "gcc", "g++", "clang")
PROCESSORS = ("cortex-a72", "neoverse-n1", "neoverse-v1", "max")
"""Emulated processors of AArch64: without dot products, with those of int8, with those of bfloat16, with everything."""
TESTING = ["hypothesis", "onnx", "pytest", "pytest-timeout", "rich", "safetensors"]
"""What the engine's tests need."""
TORCH = "torch==2.7.1"
"""Without CUDA."""
FOR_TORCH = ["filelock", "fsspec", "jinja2", "networkx", "sympy"]
"""What it needs there. Pip here would fetch what it needs on this machine's processor."""


def run(*command: str | Path, **variables: str) -> str:
    """Run a command and return what it prints. Raises CalledProcessError where it fails, once it has said why."""
    environment = os.environ | variables
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return done.stdout


def pip(*words: str | Path, python: str | Path = sys.executable) -> None:
    """Run this environment's pip, for it or for another on this machine."""
    run(sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check", *words)


@dataclass(frozen=True, slots=True)
class System:
    """A root file system that root.sh makes, and the Python that it has."""

    name: str
    python: str
    version: str
    architecture: str = "x86_64"

    @property
    def root(self) -> Path:
        """Folder of the root."""
        return ROOT / ".venv" / "roots" / self.name

    @property
    def wheelhouse(self) -> Path:
        """Folder of wheels that aren't ours."""
        return WHEELHOUSE / self.name

    @property
    def processors(self) -> tuple[str, ...]:
        """Processors that are emulated, or none: this machine's own."""
        return PROCESSORS if self.architecture == "aarch64" else ()

    def entering(self) -> list[str]:
        """Return the words before a command to run there."""
        return [str(RELEASE / "roots" / "enter.sh"), str(self.root)]

    def run(self, *command: str, processor: str | None = None) -> str:
        """Run a command there, by the processor that is named, and return what it prints."""
        variables = {}
        if self.processors:
            qemu = run(RELEASE / "roots" / "qemu.sh").strip()
            variables = {"QEMU": qemu, "QEMU_CPU": processor or self.processors[-1]}
        return run(*self.entering(), *command, **variables)

    def make(self) -> None:
        """Make the root, and in it an empty environment. Raises SystemExit where something there compiles."""
        run(RELEASE / "roots" / "root.sh", self.name)
        if compilers := [name for name in COMPILERS if (self.root / "usr" / "bin" / name).exists()]:
            sys.exit(f"{self.root} has {compilers}")
        rmtree(self.root / "venv", ignore_errors=True)
        self.run(self.python, "-m", "venv", "/venv")

    def fetch(self) -> None:
        """Download what its pip needs beside what is ours, unless that is there."""
        asked = [ROOT / "pyproject.toml", ROOT / "native" / "pyproject.toml", Path(__file__)]
        made_by = hashlib.sha256(b"".join(file.read_bytes() for file in asked)).hexdigest()
        stamp = self.wheelhouse / ".made-by"
        if stamp.exists() and stamp.read_text() == made_by:
            return
        rmtree(self.wheelhouse, ignore_errors=True)
        self._download("bothends[cpu]", *([*TESTING, *FOR_TORCH] if self.processors else []))
        if self.processors:
            self._download("--no-deps", TORCH)
        for changing in self.wheelhouse.glob("bothends*.whl"):
            changing.unlink()
        stamp.write_text(made_by)

    def install(self, *requirements: str) -> None:
        """Install wheels in its environment, without a network."""
        links = [f"/repo/{folder.relative_to(ROOT)}" for folder in (WHEELS, OURS, self.wheelhouse)]
        words = ["--quiet", "--disable-pip-version-check", "--no-compile", "--only-binary", ":all:", "--no-index"]
        words += [word for link in links for word in ("--find-links", link)]
        self.run("/venv/bin/python", "-m", "pip", "install", *words, *requirements)

    def _download(self, *words: str) -> None:
        """Download wheels for its Python and its C library, by this machine's pip."""
        libraries = ["2014", *(f"_2_{minor}" for minor in range(17, 29))]
        for_it = [word for name in libraries for word in ("--platform", f"manylinux{name}_{self.architecture}")]
        for_it += [word for name in (_abi(self.version), "abi3", "none") for word in ("--abi", name)]
        for_it += ["--python-version", self.version, "--only-binary", ":all:"]
        links: list[str | Path] = ["--find-links", WHEELS, "--find-links", OURS, "--dest", self.wheelhouse]
        pip("download", *for_it, *links, *words)


def _abi(version: str) -> str:
    return "cp" + version.replace(".", "")


SYSTEMS = (
    System("debian11", "/opt/python/bin/python3", "3.13"),
    System("debian12", "python3", "3.11"),
    System("debian12-arm64", "python3", "3.11", "aarch64"),
)


def make_ours() -> None:
    """Make the wheels of this tree that are the same everywhere: bothends as an index has it, and the model."""
    rmtree(OURS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        run(RELEASE / "sources.sh", sys.executable, folder)
        pip("wheel", "--no-deps", "--wheel-dir", OURS, *(Path(folder) / name for name in ("main", "english")))

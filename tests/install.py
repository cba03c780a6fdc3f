"""Installs an extra of bothends for tests, in place.

`python tests/install.py EXTRA [FILE …] [--cpu-torch]`: files hold further requirements. With `--cpu-torch` PyTorch's
CPU build is installed first, from PyTorch's own index, since the default one has CUDA's build for Linux. pip is silent
for minutes, so each minute says what it is at.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[1]
CPU_BUILD = "https://download.pytorch.org/whl/cpu"
ANSWERS_S = 5.0
"""Time that an index has to answer; whoever can't reach it isn't to wait for longer."""
TELLS_S = 60.0
_ASKS = "import sys, urllib.request as u; u.urlopen(u.Request(sys.argv[1], method='HEAD'))"


def main() -> int:
    """Install the extra, and the files' requirements, that the command line names; returns pip's exit code."""
    extra, *others = sys.argv[1:]
    files = [f"--requirement={other}" for other in others if other != "--cpu-torch"]
    tell(f"Installing bothends[{extra}], which takes minutes")
    if sys.platform == "linux" and "--cpu-torch" in others and find_spec("torch") is None and not installs_cpu_build():
        tell(f"  PyTorch's CPU build can't be had from {CPU_BUILD}; CUDA's, which pip takes then, is about 3 GB more")
    return pip("--editable", f"{ROOT}[{extra}]", *files)


def installs_cpu_build() -> bool:
    """Install PyTorch alone from its own index; returns whether it could be had there."""
    return is_reachable(f"{CPU_BUILD}/torch/") and pip("--no-deps", "--index-url", CPU_BUILD, torch_range()) == 0


def torch_range() -> str:
    """Return the requirement of torch, as pyproject.toml has it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    return next(each for extra in extras.values() for each in extra if re.match(r"torch\b", each))


def is_reachable(url: str, *, answers_s: float = ANSWERS_S) -> bool:
    """Return whether an address answers in time. A process asks, since to look a name up has no timeout."""
    try:
        asked = subprocess.run([sys.executable, "-c", _ASKS, url], capture_output=True, check=False, timeout=answers_s)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def pip(*wanted: str, tells_s: float = TELLS_S) -> int:
    """Run `pip install`, and say now and then what it is at; returns its exit code. Its errors are shown as they are.

    Modules are compiled as they are imported: to compile all of them now would take a minute, and half a gigabyte.
    """
    options = ("--disable-pip-version-check", "--progress-bar", "off", "--no-compile")
    command = [sys.executable, "-m", "pip", "install", *options, *wanted]
    minutes = 0.0
    with tempfile.NamedTemporaryFile() as said, subprocess.Popen(command, stdout=said) as running:
        while True:
            try:
                return running.wait(tells_s)
            except subprocess.TimeoutExpired:
                minutes += tells_s / 60
                tell(f"  after {minutes:.0f} min: {last_line(Path(said.name))}")


def last_line(file: Path) -> str:
    """Return the last line of a file that isn't blank, cut to fit a screen."""
    lines = [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line[:100] for line in reversed(lines) if line), "pip has said nothing yet")


def tell(line: str) -> None:
    """Show a person a line, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""Compiles the load generator where its program is missing or older than its C++ sources.

It imports no other module of the benchmarks, since tests build the generator too.
"""

import os
import shutil
import subprocess
from pathlib import Path

import click

FOLDER = Path(__file__).parent
GENERATOR = FOLDER / "load"
_PACKAGES = "apt-get install g++ libnghttp2-dev"


def build() -> None:
    """Compile the generator unless it is newer than its source. Raises ClickException that says what is missing."""
    sources = [*FOLDER.glob("*.cpp"), *FOLDER.glob("*.hpp")]
    if GENERATOR.exists() and GENERATOR.stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return
    compiler = shutil.which("g++")
    if compiler is None:
        raise click.ClickException(f"the load generator needs a C++ compiler and nghttp2: {_PACKAGES}")
    unfinished = f"load.{os.getpid()}"  # several tests may find that it is missing, each in a process of its own
    command = [compiler, "-O2", "-std=c++17", "load.cpp", "-o", unfinished, "-lnghttp2"]
    built = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    if built.returncode and "nghttp2" in built.stderr:
        raise click.ClickException(f"the load generator needs nghttp2's header and library: {_PACKAGES}")
    if built.returncode:
        raise click.ClickException(f"the load generator can't be built:\n{built.stderr}")
    (FOLDER / unfinished).replace(GENERATOR)

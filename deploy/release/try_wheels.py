"""Tries the wheels of `make wheels` where people are: in an empty Debian 11 and 12, and in one on emulated AArch64.

There pip installs them and what they need from folders of this machine, without a network and without a compiler; then
a server answers (trial.py). Rows must be the same bits on all processors, this machine's among them.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

import click

from found import differing, table
from systems import OURS, ROOT, SYSTEMS, TESTING, TORCH, WHEELS, System, make_ours, pip, run

HERE = "here"
TRIAL = "deploy/release/trial.py"
PRECISIONS = ("float32", "int8")
Found = dict[str, Any]


def words(trial: str, precision: str) -> list[str]:
    """Return the command that tries a server of a precision, but for the Python that runs it."""
    return [trial, "--precision", precision, "--log-level", "warning"]


def installed(name: str) -> Path:
    """Return the programs of a new environment on this machine: the wheels, and what its pip takes from the index."""
    programs = ROOT / ".venv" / "roots" / name / "bin"
    rmtree(programs.parent, ignore_errors=True)
    run(sys.executable, "-m", "venv", "--without-pip", programs.parent)
    links: list[str | Path] = ["--no-index", "--find-links", WHEELS, "--find-links", OURS]
    # First, and by themselves: whatever an index has by these names is another build, if it is ours at all.
    pip("install", "--no-deps", *links, "bothends", "bothends-english", "bothends-native", python=programs / "python")
    pip("install", "--only-binary", ":all:", "bothends[cpu]", python=programs / "python")
    return programs


def try_here() -> Iterator[Found]:
    """Try the wheels on this machine."""
    python = installed(HERE) / "python"
    for precision in PRECISIONS:
        yield json.loads(run(python, *words(TRIAL, precision))) | {"where": HERE}


def try_in(system: System) -> Iterator[Found]:
    """Try the wheels in another system, on each of its processors."""
    system.make()
    system.fetch()
    system.install("bothends[cpu]")
    for processor in system.processors or (None,):
        where = " ".join(filter(None, [system.name, processor]))
        for precision in PRECISIONS:
            command = ["/venv/bin/python", *words(f"/repo/{TRIAL}", precision)]
            yield json.loads(system.run(*command, processor=processor)) | {"where": where}


def test_engine(system: System) -> None:
    """Run the engine's tests there, on each of its processors, against PyTorch."""
    system.install(*TESTING, TORCH)
    for processor in system.processors:
        tests = "cd /repo && exec /venv/bin/python -m pytest -q -p no:cacheprovider -m 'not timing' tests/native/engine"
        said = system.run("sh", "-c", tests, processor=processor)
        click.echo(f"{system.name} {processor}: {said.splitlines()[-1]}")


@click.command()
@click.option("--engine", is_flag=True, help="Run the engine's tests, too, where a processor is emulated.")
@click.argument("names", nargs=-1, type=click.Choice([HERE, *(system.name for system in SYSTEMS)]))
def main(*, engine: bool, names: tuple[str, ...]) -> None:
    """Try the wheels on this machine and in all the systems, or in those that are named."""
    if not list(WHEELS.glob("bothends_native-*.whl")):
        raise click.ClickException("there are no wheels to try; first: make wheels")
    make_ours()
    systems = {system.name: system for system in SYSTEMS}
    trials = []
    for name in names or (HERE, *systems):
        for found in try_here() if name == HERE else try_in(systems[name]):
            click.echo(json.dumps(found))
            trials.append(found)
        if engine and name != HERE:
            test_engine(systems[name])
    click.echo(table(trials))
    if lines := differing(trials):
        raise click.ClickException("\n".join(lines))


if __name__ == "__main__":
    main()

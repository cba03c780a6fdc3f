"""Versions and requirements as a release has them."""

import subprocess
import sys
import tomllib

from packaging.requirements import Requirement

from .paths import ROOT

RELEASE = ROOT / "deploy" / "release"


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a script of deploy/release."""
    command = [sys.executable, str(RELEASE / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def version_in_file() -> str:
    """Version that stands in the one place for it."""
    return run("version.py").stdout.strip()


def published() -> dict[str, dict[str, Requirement]]:
    """Requirements of each extra of the distribution for an index, by name."""
    extras = tomllib.loads(run("published.py", "pyproject.toml").stdout)["project"]["optional-dependencies"]
    return {
        extra: {requirement.name: requirement for requirement in map(Requirement, texts)}
        for extra, texts in extras.items()
    }

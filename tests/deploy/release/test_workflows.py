"""Workflows of .github: valid, without known weaknesses, and pinned to what was looked at."""

import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.paths import ROOT
from tests.support.ran import ran
from tests.support.tools import program

BIN = Path(sys.executable).parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BY_NAME = {workflow.stem: workflow for workflow in WORKFLOWS}


@pytest.mark.ci
@pytest.mark.slow
def test_they_are_valid() -> None:
    """By the schema of SchemaStore, which check-jsonschema brings."""
    command: list[str | Path] = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS]
    result = ran(*command)
    assert result.returncode == 0, result.stdout + result.stderr


def test_they_have_no_known_weakness() -> None:
    """Zizmor looks for injection, tokens that stay, rights that are too wide, actions without a hash."""
    command: list[str | Path] = [program("zizmor"), "--offline", "--no-progress", "--quiet", *WORKFLOWS]
    result = ran(*command)
    assert result.returncode == 0, result.stdout + result.stderr


def test_an_action_is_one_commit_whose_version_is_named() -> None:
    """The same one in all workflows."""
    found: dict[str, set[str]] = {}
    for workflow in WORKFLOWS:
        for name, what in re.findall(r"uses: ([\w/-]+)@(.+)$", workflow.read_text(), re.MULTILINE):
            assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", what), name
            found.setdefault(name, set()).add(what)
    assert {name for name, what in found.items() if len(what) > 1} == set()
    assert "actions/checkout" in found


def test_scripts_and_artifacts_that_they_name_exist() -> None:
    """A script stands in the repository; what a job downloads another one keeps."""
    text = "\n".join(workflow.read_text() for workflow in WORKFLOWS)
    for script in re.findall(r"deploy/release/[\w.]+", text):
        assert (ROOT / script).is_file(), script
    kept, fetched = set[str](), set[str]()
    for workflow in WORKFLOWS:
        for job in yaml.safe_load(workflow.read_text())["jobs"].values():
            for step in job.get("steps", []):
                uses, given = step.get("uses", ""), step.get("with", {})
                names = kept if "upload-artifact@" in uses else fetched if "download-artifact@" in uses else set[str]()
                names.add(re.sub(r"\$\{\{.*?\}\}", "*", given.get("name", given.get("pattern", ""))))
    assert fetched == kept == {"dist", "digest-*", "notes", "wheels-*"}


def test_only_what_publishes_may_write() -> None:
    """Jobs have the rights that each needs, and by default none; a pull request's have none to write."""
    for workflow in WORKFLOWS:
        described = yaml.safe_load(workflow.read_text())
        by_default = described["permissions"]
        for name, job in described["jobs"].items():
            rights = job.get("permissions", by_default)
            writes = {right for right, what in rights.items() if what == "write"}
            reads = workflow.stem in ("ci", "wheels") or name in ("check", "tests", "wheels")
            assert (not writes) == reads, (workflow, name)


def test_a_release_publishes_nothing_before_all_is_tested() -> None:
    """Whatever may write waits for the tag's check, the tests and the wheels, which are tried where they were made."""
    jobs = yaml.safe_load(BY_NAME["release"].read_text())["jobs"]

    def awaited(name: str) -> set[str]:
        needs = jobs[name].get("needs", [])
        direct = {needs} if isinstance(needs, str) else set(needs)
        return direct.union(*map(awaited, direct))

    called = {name: Path(job["uses"]).stem for name, job in jobs.items() if "uses" in job}
    assert called == {"tests": "ci", "wheels": "wheels", "image": "image"}
    for name, job in jobs.items():
        if "write" in job["permissions"].values():
            assert awaited(name) >= {"check", "tests", "wheels"}, name
    made = yaml.safe_load(BY_NAME["wheels"].read_text())["jobs"]["native"]["steps"]
    assert any("deploy/release/trial.py" in step.get("run", "") for step in made)


def test_a_tags_site_is_never_left_out() -> None:
    """GitHub ends what waits in a group when a later run comes; so runs of branches wait apart from runs of tags."""
    publish = yaml.safe_load(BY_NAME["docs"].read_text())["jobs"]["publish"]
    assert "github.ref_type" in publish["concurrency"]["group"]
    assert not publish["concurrency"].get("cancel-in-progress")

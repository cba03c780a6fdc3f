"""Examples of the documents run, and their lists are complete."""

import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from bothends.server.server import Server
from bothends_export.checkpoint_config import CheckpointConfig
from tests.support.exported import exported
from tests.support.paths import ROOT
from tests.support.ran import ran
from tests.support.tools import need_imports_of
from tests.support.until import TIMEOUT_S

DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
)
PAGES = [
    *DOCUMENTS,
    ROOT / "SECURITY.md",
    *(page for folder in ("benchmarks", "deploy", "native", "service") for page in (ROOT / folder).rglob("*.md")),
]
"""Also those that hold no examples."""


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)


EXAMPLES = [
    (document, block)
    for document in DOCUMENTS
    if document.parent.name != "guides"  # whose programs need each other, and tests of their own
    for block in blocks(document, "python")
]


def test_there_are_examples() -> None:
    """README, the API and the explanation each show code."""
    assert {document.name for document, _ in EXAMPLES} >= {"README.md", "api.md", "why-both-ends.md"}


@pytest.mark.parametrize(("document", "example"), EXAMPLES, ids=lambda value: getattr(value, "name", ""))
def test_python_examples_run(server: Server, document: Path, example: str) -> None:
    """Examples run as they stand, but for the port."""
    need_imports_of(example)
    if "convert_to_tensor" in example:
        pytest.importorskip("torch", reason="PyTorch isn't installed (make test-full)")
    code = compile(example.replace("127.0.0.1:50051", f"127.0.0.1:{server.port}"), str(document), "exec")
    exec(code, {"__name__": "example"})  # noqa: S102  our own documents


def test_the_readmes_first_embedding_runs(server: Server) -> None:
    """The third command of a newcomer runs as it stands there."""
    (line,) = re.findall(
        r"^\.venv/bin/bothends embed .*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    command: list[str | Path] = [Path(sys.executable).parent / "bothends", *shlex.split(line)[1:]]
    environment = os.environ | {"BOTHENDS_SERVER": f"127.0.0.1:{server.port}"}
    answer = ran(*command, check=True, env=environment)
    assert "512 numbers a sentence" in answer.stdout


@pytest.mark.parametrize(
    "line", [line for line in blocks(ROOT / "docs" / "api.md", "sh") if line.startswith(("grpcurl", "curl"))]
)
def test_the_lines_of_the_api_run(server: Server, line: str) -> None:
    """Lines run as they stand, but for the ports; the contract comes by reflection."""
    own = {"127.0.0.1:50051": f"127.0.0.1:{server.port}", "127.0.0.1:8080": f"127.0.0.1:{server.http_port}"}
    command = shlex.split(re.sub("|".join(own), lambda found: own[found[0]], line))
    tool = shutil.which(command[0], path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if tool is None:
        pytest.skip(f"there is no {command[0]} here")
    command[0] = tool
    answer = ran(*command, timeout=TIMEOUT_S)
    assert answer.returncode == 0, answer.stderr
    assert re.search(r'"model_version": ?"', answer.stdout), answer.stdout


def test_the_example_checkpoint_is_one() -> None:
    """The config.json in docs/bundle.md is accepted."""
    (example,) = blocks(ROOT / "docs" / "bundle.md", "json")
    CheckpointConfig.model_validate(json.loads(example))


def test_every_metric_is_documented_and_no_other() -> None:
    documented = set(re.findall(r"^\| `(bothends_\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    assert documented == set(exported())


def test_targets_of_make_are_there() -> None:
    """What a document says to `make` is a target."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    said = {
        target
        for page in PAGES
        for text in (page.read_text(encoding="utf-8"), "\n".join(blocks(page, "sh")).replace("\n", "\n`"))
        for target in re.findall(r"`make ([a-z-]+)", text)
    }
    assert "test" in said
    assert said <= targets


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """A file that is there, and in it a heading, as GitHub makes an anchor of one."""
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", document.read_text(encoding="utf-8")):
        path = document.parent / target if target else document
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path), f"{target}#{anchor}"


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

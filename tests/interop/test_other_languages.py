"""Programs of docs/other-languages.md, run as they stand there but for the port, with what the compilers make."""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.ran import ran
from tests.support.serving import Running, finish, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # other people's compilers, on whatever machine

CLIENTS = Path(sys.prefix) / "clients"
TEXT = (ROOT / "docs" / "other-languages.md").read_text(encoding="utf-8")
DEBIANS_GO, DEBIANS_JARS = Path("/usr/share/gocode"), Path("/usr/share/java")
"""Folders of Debian's packages: what is there is found by no other means without a network."""
JAVA_PLUGIN = "grpc_java_plugin"


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    running = start()
    yield running
    finish(running)


def block(language: str, *, of: str) -> str:
    """Return the one block in a language of the section `of`."""
    section = TEXT.partition(f"\n## {of}\n")[2].partition("\n## ")[0]
    (found,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(found)


def needs(*tools: Path | str) -> None:
    for tool in tools:
        if not (tool.exists() if isinstance(tool, Path) else shutil.which(tool)):
            pytest.skip(f"{tool} is missing; docs/other-languages.md says what to install")


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    done = ran(*command, cwd=folder, env=os.environ | environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def generate(language: str, folder: Path, *more: str) -> None:
    """Run the section's command, its outputs in `folder`."""
    command = (
        block("sh", of=language).replace("_out=.", f"_out={folder}").replace("protoc ", " ".join(["protoc", *more, ""]))
    )
    run(["sh", "-ec", command], ROOT)


def promised(program: str) -> str:
    """Return the output that the program's last comment promises."""
    return str(re.findall(r"// (.+)$", program, re.MULTILINE)[-1])


def test_node(served: Running, tmp_path: Path) -> None:
    needs(CLIENTS / "bin" / "node", CLIENTS / "node_modules" / "@grpc" / "grpc-js")
    program = block("js", of="Node")
    (tmp_path / "example.js").write_text(program.replace("127.0.0.1:50051", served.target))
    command = [CLIENTS / "bin" / "node", tmp_path / "example.js"]
    assert run(command, ROOT, NODE_PATH=str(CLIENTS / "node_modules")) == promised(program)


def test_go(served: Running, tmp_path: Path) -> None:
    needs("go", "protoc", "protoc-gen-go", "protoc-gen-go-grpc", DEBIANS_GO / "src" / "google.golang.org" / "grpc")
    home = tmp_path / "src" / "example.com" / "you"
    home.mkdir(parents=True)
    generate("Go", home)
    program = block("go", of="Go")
    (home / "main.go").write_text(program.replace("127.0.0.1:50051", served.target))
    found = run(["go", "run", "main.go"], home, GO111MODULE="off", GOPATH=f"{tmp_path}:{DEBIANS_GO}")
    assert found == promised(program)


def test_java(served: Running, tmp_path: Path) -> None:
    needs("javac", "protoc", JAVA_PLUGIN, DEBIANS_JARS / "grpc-netty.jar")
    generate("Java", tmp_path, f"--plugin=protoc-gen-grpc-java={shutil.which(JAVA_PLUGIN)}")
    program = block("java", of="Java")
    (tmp_path / "Example.java").write_text(program.replace("127.0.0.1:50051", served.target))
    sources = [str(file) for file in tmp_path.rglob("*.java")]
    run(["javac", "-nowarn", "-d", "classes", "-cp", f"{DEBIANS_JARS}/*", *sources], tmp_path)
    found = run(["java", "-cp", f"classes:{DEBIANS_JARS}/*", "Example"], tmp_path)
    assert found.splitlines()[-1] == promised(program)

"""The contract is clean, and the committed code is what it generates."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.tools import program

PACKAGES = Path(sysconfig.get_path("purelib"))
PROTOC = Path(sys.prefix) / "protoc" / "bin" / "python"
STATUS = Path("google") / "rpc" / "status.proto"
CONTRACTS = tuple(
    Path("bothends") / file for file in ("v1/embedding.proto", "kserve/v2/inference.proto", "tei/v1/embedding.proto")
)


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    """Generating anew gives the committed bytes; `make proto` mends it."""
    if not PROTOC.exists():
        pytest.skip(f"{PROTOC} is missing; `make test` installs protoc there, where it has a wheel")
    subprocess.run(
        [
            *(PROTOC, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"),
            *(f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")),
            *(ROOT / "proto" / contract for contract in CONTRACTS),
        ],
        check=True,
    )
    fresh = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(fresh) == 3 * len(CONTRACTS)
    for file in fresh:
        committed = ROOT / "service" / file
        assert (tmp_path / file).read_bytes() == committed.read_bytes(), f"{file} is stale: run make proto"


def test_every_contract_is_generated() -> None:
    assert {path.relative_to(ROOT / "proto") for path in (ROOT / "proto").rglob("*.proto")} == {*CONTRACTS, STATUS}


def test_what_the_contract_imports_stands_beside_it() -> None:
    """A compiler that has protobuf's own files needs no folder but proto/; the copy is googleapis' own."""
    assert (ROOT / "proto" / STATUS).read_bytes() == (PACKAGES / STATUS).read_bytes()


def test_buf_lint_is_clean() -> None:
    """STANDARD and COMMENTS, as proto/buf.yaml asks."""
    command: list[str | Path] = [program("buf"), "lint", "--path", "bothends"]
    result = subprocess.run(command, cwd=ROOT / "proto", capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr

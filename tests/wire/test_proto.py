"""The contract is clean, and the committed code is what it generates."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.support.paths import ROOT

PACKAGES = Path(sysconfig.get_path("purelib"))
STATUS = Path("google") / "rpc" / "status.proto"
CONTRACTS = (Path("bothends/v1/embedding.proto"), Path("bothends/kserve/v2/inference.proto"))


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    """Generating anew gives the committed bytes; `make proto` mends it."""
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", f"-I{PACKAGES}"),
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
    assert {path.relative_to(ROOT / "proto") for path in (ROOT / "proto").rglob("*.proto")} == set(CONTRACTS)


def test_buf_lint_is_clean(tmp_path: Path) -> None:
    """STANDARD and COMMENTS, as proto/buf.yaml asks; what the contract imports stands beside it, as buf wants it."""
    shutil.copytree(ROOT / "proto", tmp_path, dirs_exist_ok=True)
    (tmp_path / STATUS).parent.mkdir(parents=True)
    shutil.copy(PACKAGES / STATUS, tmp_path / STATUS)
    buf = Path(sys.executable).parent / "buf"
    command = [buf, "lint", "--path", "bothends"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr

"""The contract is clean, and the committed code is what it generates."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = Path(sysconfig.get_path("purelib"))
STATUS = Path("google") / "rpc" / "status.proto"
GENERATED = ROOT / "service" / "bothends" / "v1"


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    """Generating anew gives the committed bytes; `make proto` mends it."""
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}", f"-I{PACKAGES}"),
            *(f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")),
            str(ROOT / "proto" / "bothends" / "v1" / "embedding.proto"),
        ],
        check=True,
    )
    fresh = sorted((tmp_path / "bothends" / "v1").iterdir())
    assert len(fresh) == 3
    for file in fresh:
        assert file.read_bytes() == (GENERATED / file.name).read_bytes(), f"{file.name} is stale: run make proto"


def test_buf_lint_is_clean(tmp_path: Path) -> None:
    """STANDARD and COMMENTS, as proto/buf.yaml asks; what the contract imports stands beside it, as buf wants it."""
    shutil.copytree(ROOT / "proto", tmp_path, dirs_exist_ok=True)
    (tmp_path / STATUS).parent.mkdir(parents=True)
    shutil.copy(PACKAGES / STATUS, tmp_path / STATUS)
    buf = Path(sys.executable).parent / "buf"
    command = [buf, "lint", "--path", "bothends"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr

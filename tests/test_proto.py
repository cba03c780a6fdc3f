"""The contract is clean, and the committed code is what it generates."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
GENERATED = ROOT / "service" / "bothends" / "v1"


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    """Generating anew gives the committed bytes; `make proto` mends it."""
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'proto'}"),
            *(f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")),
            str(ROOT / "proto" / "bothends" / "v1" / "embedding.proto"),
        ],
        check=True,
    )
    fresh = sorted((tmp_path / "bothends" / "v1").iterdir())
    assert len(fresh) == 3
    for file in fresh:
        assert file.read_bytes() == (GENERATED / file.name).read_bytes(), f"{file.name} is stale: run make proto"


def test_buf_lint_is_clean() -> None:
    """STANDARD and COMMENTS, as proto/buf.yaml asks."""
    buf = Path(sys.executable).parent / "buf"
    result = subprocess.run([buf, "lint"], cwd=ROOT / "proto", capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr

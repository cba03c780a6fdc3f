"""A format reads its own options, and refuses another's."""

import sys
from pathlib import Path

import pytest

from tests.support.ran import ran

from .end_to_end import refused


def test_an_option_of_another_format_is_refused(source: Path, tmp_path: Path) -> None:
    """Rather than ignored."""
    other = tmp_path / "x.json"
    other.touch()
    for option, value in {"--spm": other, "--no-head": None, "--encoder": other, "--codes": other}.items():
        words = [option] if value is None else [option, value]
        line = refused("import", source, "--vectors", tmp_path / "glove.txt", "--out", tmp_path / "new", *words)
        assert f"{option} says nothing to the format infersent1; it is of " in line


@pytest.mark.slow
def test_what_reads_other_formats_is_not_imported(source: Path, tmp_path: Path) -> None:
    """One file takes one reader: ONNX's would bring onnxruntime along, for a file that is no graph."""
    words = ["import", source, "--vectors", tmp_path / "glove.txt", "--out", tmp_path / "new"]
    program = (
        "import sys; from bothends.cli.main import main; "
        f"main({[str(word) for word in words]!r}, standalone_mode=False); print(*sys.modules)"
    )
    done = ran(sys.executable, "-c", program, check=True)
    modules = set(done.stdout.splitlines()[-1].split())
    assert "bothends_importing.infersent" in modules
    assert not modules & {
        "onnx",
        "onnxruntime",
        *(f"bothends_importing.{name}" for name in ("allennlp", "flair", "laser", "onnx")),
    }

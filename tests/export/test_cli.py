"""`bothends export` and `bothends verify` as people run them: what they print, and their exit codes."""

from collections.abc import Callable
from pathlib import Path
from shlex import quote

import pytest
from click.testing import CliRunner

from bothends.cli.main import main
from bothends.model.bundle import Bundle
from bothends_export.checkpoint import Checkpoint
from bothends_export.export import export

from .mutations import (
    mutated,
    swapped_halves,
)


@pytest.mark.brief
def test_export_prints_what_to_do_next(toy_checkpoint: tuple[Path, Checkpoint], tmp_path: Path) -> None:
    """A summary, the size, and a command that works; the card says what the checkpoint knows."""
    out = tmp_path / "bundles" / "mine"
    result = CliRunner().invoke(main, ["export", str(toy_checkpoint[0]), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert f"next: bothends serve --bundle {quote(str(out))}" in result.output
    assert Bundle.open(out).config.name == "toy"
    assert "cat(h_n[-2], h_n[-1])" in (out / "README.md").read_text()
    again = CliRunner().invoke(main, ["export", str(toy_checkpoint[0]), "--out", str(out)])
    assert again.exit_code == 1
    assert "exists already" in again.output


def test_verify_says_what_a_pooling_is(make_checkpoint: Callable[..., tuple[Path, Checkpoint]], tmp_path: Path) -> None:
    """output[-1] is served where it is asked for, and no caller can take it for the final states."""
    opened = export(make_checkpoint(pooling="last_output")[1], tmp_path / "last")
    assert opened.config.cosine_to_final_states is not None
    assert 0 < opened.config.cosine_to_final_states < 0.9
    result = CliRunner().invoke(main, ["verify", str(opened.path)])
    told = f"mean cosine to the final states' embeddings {opened.config.cosine_to_final_states:.2f}"
    assert "output[-1], whose backward half has read one token" in result.output
    assert told in result.output
    assert "output[-1]" in opened.card


@pytest.mark.brief
def test_verify_prints_a_table_and_an_exit_code(
    toy_bundle: Bundle, toy_checkpoint: tuple[Path, Checkpoint], tmp_path: Path
) -> None:
    """0 and a table where it holds; 1 and the breach, by name, where it doesn't."""
    run = CliRunner().invoke
    right = run(main, ["verify", str(toy_bundle.path), "--checkpoint", str(toy_checkpoint[0])])
    assert right.exit_code == 0, right.output
    for heading in ("embedding", "forward", "backward", "h_n", "ragged batch of 64", "golden sentences", "all within"):
        assert heading in right.output
    wrong = run(main, ["verify", str(mutated(toy_bundle, tmp_path, swapped_halves).path)])
    assert wrong.exit_code == 1
    assert "breach: golden sentences: forward" in wrong.output


def test_verify_refuses_a_checkpoint_of_another_size(
    toy_bundle: Bundle, make_checkpoint: Callable[..., tuple[Path, Checkpoint]]
) -> None:
    """Comparing different encoders is a mistake, said in one line with the fields that differ, and no others."""
    folder, _ = make_checkpoint(layers=2)
    result = CliRunner().invoke(main, ["verify", str(toy_bundle.path), "--checkpoint", str(folder)])
    assert result.exit_code == 1
    assert "isn't of this checkpoint: layers is 1 and 2 (in the bundle and there)" in result.output
    assert "Traceback" not in result.output

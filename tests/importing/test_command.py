"""`bothends import` as people see it: shown before written, written whole or not at all, one line where it fails."""

from pathlib import Path
from shlex import quote

from .end_to_end import bothends, refused


def test_what_was_understood_is_shown_before_it_is_written(source: Path, tmp_path: Path) -> None:
    """The reading is shown also where it then can't be written: a person sees what was wrong with it."""
    options: list[str | Path] = ["--vectors", tmp_path / "glove.txt", "--name", "a name", "--out", tmp_path / "new"]
    result = bothends("import", source, *options)
    assert result.exit_code == 1
    assert "embedding.weight           glove.txt                       4 × 7" in result.stdout
    assert "- The vocabulary is 4 words" in result.stdout
    assert "checkpoint in" not in result.stdout
    assert "infersent1.pkl: name: String should match pattern" in refused("import", source, *options)
    done = bothends("import", source, "--vectors", tmp_path / "glove.txt", "--out", tmp_path / "new")
    assert done.stdout.endswith(f"next: bothends export {quote(str(tmp_path / 'new'))} --out BUNDLE\n")
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 100


def test_a_folder_that_is_there_stays_as_it_is(source: Path, tmp_path: Path) -> None:
    """A folder that is there is refused before anything is read."""
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for out in ("out", "link"):
        assert f"{out} exists already" in refused("import", source, "--out", tmp_path / out)
    assert list((tmp_path / "out").iterdir()) == []

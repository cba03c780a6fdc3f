"""One recipe that begins with what others make: one command follows them all, and does nothing twice."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.progress import Progress

from bothends.model.bundle import Bundle
from bothends_export import checkpoint
from bothends_training import cli
from bothends_training.errors import RecipeError
from bothends_training.stages import train_stages, unfinished
from bothends_training.train import STATE
from tests.support import toy

from .runs import Kill, assert_same, kill_in_step, state


def write(folder: Path) -> Path:
    """A folder of toy recipes: last.toml begins with the mean of what first.toml and middle.toml make, and the second
    of these with what the first makes. Returns the path of the last.
    """
    recipe = toy.write(folder)
    first = recipe.read_text(encoding="utf-8").replace("steps = 20", "steps = 8")
    start = '[[start]]\npath = "made/{0}"\nrecipe = "{0}.toml"\n'
    for name, before in (("first", []), ("middle", ["first"]), ("last", ["first", "middle"])):
        text = first.replace('name = "toy"', f'name = "{name}"') + "".join(start.format(each) for each in before)
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder / "last.toml"


def follow(recipe: Path) -> None:
    """Follow the recipe as the command does, into out beside it."""
    train_stages(recipe, recipe.parent / "out", recipe.parent / "cache", Progress())


def files(folder: Path) -> dict[Path, bytes]:
    """What lies in a folder and below."""
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of recipes that one command has followed to the bundle."""
    recipe = write(tmp_path_factory.mktemp("stages"))
    arguments = [str(recipe), "--out", str(recipe.parent / "out"), "--cache", str(recipe.parent / "cache")]
    arguments += ["--export", str(recipe.parent / "bundle")]
    assert CliRunner().invoke(cli.train, arguments, catch_exceptions=False).exit_code == 0
    return recipe.parent


def test_one_command_leads_from_sentences_to_the_bundle(done: Path) -> None:
    """Both stages stand where the recipe says, done, and the bundle holds the last one's weights by its name."""
    for index in ("made/first", "made/middle", "out"):
        story = checkpoint.load(done / index).config.training
        assert story["step"] == 8
    assert [start["recipe"] for start in story["recipe"]["start"]] == ["first.toml", "middle.toml"]
    assert Bundle.open(done / "bundle").config.name == "last"


def test_what_is_done_is_left_as_it_is(done: Path) -> None:
    """The command again changes nothing; nor needs a stage anything but its checkpoint, or a bundle in its place."""
    before = files(done / "made")
    follow(done / "last.toml")
    assert files(done / "made") == before
    (done / "made" / "first" / STATE).unlink()
    assert unfinished(done / "last.toml", done / "cache") == {}
    (done / "with-bundle").mkdir()
    for name in ("first", "middle", "last"):
        (done / "with-bundle" / f"{name}.toml").write_bytes((done / f"{name}.toml").read_bytes())
    (done / "with-bundle" / "made").mkdir()
    (done / "with-bundle" / "made" / "middle").symlink_to(done / "bundle")
    assert [stage.stem for stage in unfinished(done / "with-bundle" / "last.toml", done / "cache")] == ["first"]


def test_a_command_stopped_in_a_stage_goes_on_there(done: Path, tmp_path: Path) -> None:
    """A kill in the second stage costs no more than one in a run alone, and the end is the same to the bit."""
    recipe = write(tmp_path)
    with pytest.MonkeyPatch.context() as monkeypatch:
        kill_in_step(7, monkeypatch)
        (tmp_path / "made").mkdir()
        (tmp_path / "made" / "first").symlink_to(done / "made" / "first")
        with pytest.raises(Kill):
            follow(recipe)
    assert state(tmp_path / "made" / "middle")["step"] == 6
    assert not (tmp_path / "out").exists()
    follow(recipe)
    assert_same(state(tmp_path / "out"), state(done / "out"))


def test_stages_that_can_not_be_followed_are_refused_first(tmp_path: Path) -> None:
    """Recipes that begin with each other, a start that nothing makes, and a checkpoint of a recipe that has changed."""
    recipe = write(tmp_path)
    first = (tmp_path / "first.toml").read_text(encoding="utf-8")
    (tmp_path / "first.toml").write_text(first + '[start]\npath = "x"\nrecipe = "last.toml"\n', encoding="utf-8")
    with pytest.raises(RecipeError, match=r"last.toml begins with what it makes itself"):
        follow(recipe)
    (tmp_path / "first.toml").write_text(first + '[start]\npath = "nowhere"\n', encoding="utf-8")
    with pytest.raises(RecipeError, match="nowhere is missing"):
        follow(recipe)
    assert not (tmp_path / "cache").exists()
    (tmp_path / "first.toml").write_text(first, encoding="utf-8")
    train_stages(tmp_path / "first.toml", tmp_path / "made" / "first", tmp_path / "cache", Progress())
    (tmp_path / "first.toml").write_text(first.replace("seed = 7", "seed = 8"), encoding="utf-8")
    with pytest.raises(RecipeError, match=r"made/first holds a run of another recipe than .*first.toml is now"):
        follow(recipe)

"""A recipe that says only what differs from another."""

from pathlib import Path

import pytest

from bothends_training import recipe
from bothends_training.errors import RecipeError
from bothends_training.inherit import laid_over
from tests.support import toy


def beside(folder: Path, **files: str) -> Path:
    """Write these recipes and toy's own, base.toml, into a folder; return the last one's path."""
    (folder / "base.toml").write_text(toy.RECIPE, encoding="utf-8")
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder / f"{name}.toml"


def test_a_recipe_says_what_differs_from_its_base(tmp_path: Path) -> None:
    """Keys of a table stand beside those of the base's; a base may have a base."""
    middle = 'base = "base.toml"\nname = "middle"\n[optimisation]\nsteps = 5\n'
    last = 'base = "middle.toml"\nversion = "2"\n[optimisation]\nlearning_rate = 1e-3\n'
    read = recipe.read(beside(tmp_path, middle=middle, last=last))
    plain = toy.recipe(name="middle", version="2", steps=5, learning_rate=1e-3)
    assert read == plain


def test_teachers_are_joined_by_their_names(tmp_path: Path) -> None:
    """Another weight for one of them takes its name and the weight; a new one comes after those of the base."""
    (known,) = recipe.read(beside(tmp_path, same='base = "base.toml"\n')).teachers
    changed = f'base = "base.toml"\n[[teachers]]\nname = "{known.name}"\nweight = 3\n'
    (heavier,) = recipe.read(beside(tmp_path, changed=changed)).teachers
    assert heavier == known.model_copy(update={"weight": 3})
    base = {"teachers": [{"name": "one", "weight": 1}, {"name": "two"}]}
    own = {"teachers": [{"name": "three"}, {"name": "one", "weight": 2}]}
    assert laid_over(own, base)["teachers"] == [{"name": "one", "weight": 2}, {"name": "two"}, {"name": "three"}]


def test_other_lists_take_the_place_of_the_bases() -> None:
    """Starts, dev files and sizes are what the recipe says they are, no more."""
    base = {"start": [{"path": "x"}, {"path": "y"}], "dev": ["a", "b"], "loss": {"nested": [8, 16], "family_weight": 1}}
    own = {"start": [{"path": "z"}], "dev": [], "loss": {"nested": [4]}}
    assert laid_over(own, base) == {**own, "loss": {"nested": [4], "family_weight": 1}}


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ("nowhere.toml", "nowhere.toml: No such file"),
        ("../base.toml", "own.toml: base: the name of a recipe in the same folder, found '../base.toml'"),
        ("own.toml", "own.toml: base: own.toml has this recipe for its own base"),
        ("other.toml", "other.toml: base: own.toml has this recipe for its own base"),
    ],
)
def test_a_base_that_cannot_be_read_is_named(tmp_path: Path, base: str, said: str) -> None:
    """The message says which file to mend."""
    own = beside(tmp_path, other='base = "own.toml"\n', own=f'base = "{base}"\n')
    with pytest.raises(RecipeError) as refused:
        recipe.read(own)
    assert said in str(refused.value)

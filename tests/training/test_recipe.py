"""A recipe file is read: what is wrong in it is named in one line before anything runs, and each key is documented."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bothends.model.architecture import EncoderConfig
from bothends.model.bundle import Bundle, default_path
from bothends_export.checkpoint_config import CheckpointConfig
from bothends_training import recipe, stages
from bothends_training.errors import RecipeError
from bothends_training.recipe import Recipe
from bothends_training.resource import Resource
from tests.support import toy
from tests.support.paths import ROOT

ENGLISH, WIDE = (ROOT / "training" / "recipes" / f"{name}.toml" for name in ("english", "english-wide"))


def refusal(file: Path) -> str:
    """The message with which `file` is refused; it is one line and names the file."""
    with pytest.raises(RecipeError) as refused:
        recipe.read(file)
    message = str(refused.value)
    assert len(message.splitlines()) == 1
    assert str(file) in message
    return message


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """A recipe file in which `old` stands once and is replaced by `new`."""
    assert toy.RECIPE.count(old) == 1
    file = tmp_path / "changed.toml"
    file.write_text(toy.RECIPE.replace(old, new), encoding="utf-8")
    return file


def test_the_default_recipe_leads_from_raw_sentences_to_a_mean(tmp_path: Path) -> None:
    """One command follows all stages, each with a seed of its own; the last takes no step, and one tokenizer serves."""
    order = list(stages.unfinished(ENGLISH, tmp_path))
    assert [stage.stem for stage in order[:3]] == ["english-start", "english-second", "english-third"]
    searching = ("pilot", "a", "b", "c", "d", "e", "f", "g", "h")
    assert [stage.stem for stage in order[3:]] == [f"english-search-{name}" for name in searching]
    made = [recipe.read(stage) for stage in order[3:]]
    assert [stage.seed for stage in made] == [1, 1, 2, 3, 5, 6, 7, 9, 10]
    last = recipe.read(ENGLISH)
    assert (last.name, last.version) == ("english", Bundle.open(default_path()).config.version)
    assert last.optimisation.steps == 0
    assert all(stage.student == last.student for stage in made)


def test_the_wide_recipe_leads_from_the_packaged_weights_to_a_mean_with_them(tmp_path: Path) -> None:
    """One command follows a run that begins with the packaged weights, and its mean with them takes no step."""
    (run,), last = [recipe.read(stage) for stage in stages.unfinished(WIDE, tmp_path)], recipe.read(WIDE)
    assert (run.name, last.name) == ("english-wide-d", "english-wide")
    assert [start.locate(WIDE.parent, tmp_path) for start in (*run.start, last.start[-1])] == [default_path()] * 2
    assert last.optimisation.steps == last.optimisation.maps_first == 0
    assert (run.student, run.teachers, run.corpus.path) == (last.student, last.teachers, last.corpus.path)
    assert run.student.hidden_size > recipe.read(ENGLISH).student.hidden_size


def test_runs_of_the_wide_encoder_begin_with_the_packaged_weights(tmp_path: Path) -> None:
    """Each has a seed of its own, and who teaches altered copies reads every sentence that has some."""
    runs = [recipe.read(WIDE.with_stem(f"english-wide-{letter}")) for letter in "abcde"]
    assert [start.locate(WIDE.parent, tmp_path) for run in runs for start in run.start] == [default_path()] * 5
    assert len({run.seed for run in runs}) == 5
    first, second, third = runs[:3]
    assert first.batches.documents > second.batches.documents == third.batches.documents > 0
    heavier = [teacher.weight for teacher in third.teachers if teacher not in first.teachers]
    assert (heavier, second.teachers) == ([3], first.teachers)
    for run in runs:
        assert run.student == first.student
        assert run.corpus.path == recipe.read(ENGLISH).corpus.path
        assert [teacher.name for teacher in run.teachers] == [teacher.name for teacher in first.teachers]
        assert [teacher.name for teacher in run.teachers if not teacher.row_weight] == ["multilingual-e5-small"]
    for run in runs[:4]:
        assert [teacher.name for teacher in run.teachers if teacher.families and teacher.sentences is not None] == []


@pytest.mark.parametrize("name", ["english-wide-d", "english-wide-e"])
def test_longer_runs_of_the_wide_encoder_are_taught_more_without_copies(name: str) -> None:
    """Copies are those of the runs before, and so are their teachers' vectors."""
    longer, second = (recipe.read(WIDE.with_stem(stem)) for stem in (name, "english-wide-b"))
    assert longer.student == second.student
    assert second.corpus.copied is None
    assert longer.corpus.copied == second.corpus.sentences < longer.corpus.sentences


def test_a_recipe_is_read_as_it_stands(tmp_path: Path) -> None:
    """Values of the file are kept, and what it leaves out has its default."""
    file = tmp_path / "recipe.toml"
    file.write_text(toy.RECIPE, encoding="utf-8")
    read = recipe.read(file)
    assert read == toy.recipe()
    assert (read.seed, read.optimisation.steps, read.teachers[0].output) == (7, 20, "sentence")
    assert (read.student.layers, read.optimisation.clip, read.teachers[0].max_tokens) == (1, 5.0, 128)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("warmup_steps = 3", "warmup_stepz = 3", "optimisation.warmup_stepz"),
        ("steps = 20", 'steps = "many\\nmore"', "optimisation.steps"),
        ("token_dropout = 0.3", "token_dropout = 1.0", "optimisation.token_dropout"),
        ("[optimisation]", "[loss]\nnested = [4, 7]\n[optimisation]", "loss.nested.1"),
        ("sentences = 1000", "", "corpus.sentences"),
        ('kind = "onnx"', 'kind = "oracle"', "teachers.0.kind"),
        ('kind = "onnx"', 'kind = "function"', "teachers.0"),
        ('output = "sentence"', 'function = "json:dumps"', "teachers.0"),
        ("bucket = 2", "per_batch = 3", "batches"),
        ("hidden_size = 8", "hidden_size = 8\nlayers = 4", "student.layers"),
        ("hidden_size = 8", 'hidden_size = 8\npooling = "attention"', "student"),
        ('name = "toy"', 'name = "My Toy"', "name"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, old: str, new: str, key: str) -> None:
    """A key that is unknown, missing or out of range is named with all its parents."""
    assert f": {key}: " in refusal(changed(tmp_path, old, new))


def test_nested_sizes_need_halves(tmp_path: Path) -> None:
    """Hops stand one after the other, so that no first half of the embedding is of one direction."""
    hops = 'hidden_size = 8\npooling = "attention"\nattention = { size = 4, hops = 2 }'
    file = changed(tmp_path, "hidden_size = 8", hops)
    recipe.read(file)
    file.write_text(f"{file.read_text(encoding='utf-8')}\n[loss]\nnested = [4]\n", encoding="utf-8")
    assert "loss.nested: an embedding without a forward" in refusal(file)


def test_some_teacher_embeds_every_sentence(tmp_path: Path) -> None:
    """A batch that no teacher has vectors of would teach nothing, and a teacher of families alone has few."""
    for few in ("sentences = 100", 'families = "only"'):
        file = changed(tmp_path, 'output = "sentence"', f'output = "sentence"\n{few}')
        assert "teachers: at least one embeds all sentences" in refusal(file)


def test_what_is_held_out_needs_a_near_match(tmp_path: Path) -> None:
    """Held-out sentences would be read, and taught, if nothing said how like them a sentence may be."""
    held_out = '[held_out]\nsources = ["toy"]\n[optimisation]'
    assert "held_out: corpus.near_match says" in refusal(changed(tmp_path, "[optimisation]", held_out))


@pytest.mark.parametrize("text", [b"name = ", b"name = 'toy'\nname = 'toy'", b"name = 'caf\xe9'", b"\x00"])
def test_text_that_is_no_toml_is_refused(tmp_path: Path, text: bytes) -> None:
    """Broken syntax and bytes that are no UTF-8 are the recipe's fault, not a traceback."""
    file = tmp_path / "broken.toml"
    file.write_bytes(text)
    assert "is no TOML" in refusal(file)


def test_every_name_that_a_recipe_takes_is_one_that_a_checkpoint_takes() -> None:
    """A name refused at the first save would cost the run: the recipe refuses it before."""
    encoder = EncoderConfig(vocabulary_size=1, embedding_size=1, hidden_size=1, layers=1)
    for name, version in [("english", "2026.11"), ("a", "0"), ("0.b_c-d", "V1_a-2.3"), ("a" * 64, "b" * 64)]:
        read = toy.recipe(name=name, version=version)
        CheckpointConfig(name=read.name, version=read.version, max_tokens=1, encoder=encoder)
    for name, version in [("a" * 65, "1"), ("a", "b" * 65)]:
        with pytest.raises(ValidationError, match="String should match pattern"):
            toy.recipe(name=name, version=version)


def test_a_path_is_relative_to_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder in which the command was given doesn't matter."""
    (tmp_path / "model.onnx").touch()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Resource(path="model.onnx").locate(tmp_path, tmp_path) == (tmp_path / "model.onnx").resolve()
    assert (
        Resource(path="../model.onnx").locate(tmp_path / "elsewhere", tmp_path) == (tmp_path / "model.onnx").resolve()
    )


@pytest.mark.parametrize(
    ("resource", "named"),
    [
        (Resource(path="nowhere.onnx"), "nowhere.onnx is missing"),
        (Resource(path="pytest/nowhere.onnx", package="pytest"), "nowhere.onnx is missing"),
        (Resource(path="model.onnx", package="no-such-teacher"), "no-such-teacher isn't installed; pip install"),
    ],
)
def test_what_a_recipe_names_must_be_there(tmp_path: Path, resource: Resource, named: str) -> None:
    """A missing file and a package that isn't installed are named; the second with its remedy."""
    with pytest.raises(RecipeError, match=named) as refused:
        resource.locate(tmp_path, tmp_path)
    assert len(str(refused.value).splitlines()) == 1


def test_the_packages_of_the_recipes_are_those_that_the_extra_installs() -> None:
    """The remedy that a missing package's message gives is one that helps."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = {line.split("==")[0] for line in project["optional-dependencies"]["teachers"]}
    wide = recipe.read(WIDE)
    assert [teacher.name for teacher in recipe.read(ENGLISH).teachers] == [
        teacher.name for teacher in wide.teachers[:3]
    ]
    named = [wide.student.tokenizer, *(found for t in wide.teachers for found in (t.model, t.tokenizer) if found)]
    assert {part.package for resource in named for part in (resource.parts or [resource])} == extra


def test_the_learning_rate_at_its_ends() -> None:
    """The rate is a straight line up over the warm-up, its last step at the top, then half a cosine down to the final
    rate.
    """
    recipe = toy.recipe(steps=110, warmup_steps=10, learning_rate=1e-2, final_learning_rate=1e-4)
    rates = [recipe.optimisation.learning_rate_at(step) for step in range(111)]
    assert rates[0] == pytest.approx(1e-3)
    assert rates[9] == rates[10] == pytest.approx(1e-2)
    assert rates[60] == pytest.approx((1e-2 + 1e-4) / 2)
    assert rates[110] == pytest.approx(1e-4)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_every_key_is_documented() -> None:
    """Each key stands in the table of docs/training.md, under its section, with its own default; and no other does."""
    _, table = (ROOT / "docs" / "training.md").read_text(encoding="utf-8").split("## What a recipe says\n")
    lines = table.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in lines if line.startswith("|")]
    documented: dict[str, dict[str, str]] = {}
    section = documented.setdefault("", {})
    for keys, default in rows[2:]:
        names = re.findall(r"`(.*?)`", keys)
        if keys.startswith("**"):
            section = documented.setdefault(names[0].strip("[]"), {})
            continue
        section |= zip(names, default.split(", ") if ", " in default else [default] * len(names), strict=True)
    start = documented["student"].pop("start")  # a key of the recipe; it stands where a reader looks for it
    documented[""]["start"] = start
    parts: dict[str, Any] = {
        name: Recipe.model_fields[name].annotation for name in ("corpus", "student", "batches", "loss", "optimisation")
    }
    parts |= {"held_out": recipe.HeldOut, "documents": recipe.Documents, "teachers": recipe.Teacher}
    models = {"": Recipe, **parts}
    assert documented.keys() == models.keys()
    for section_name, model in models.items():
        fields = {name: field for name, field in model.model_fields.items() if section_name or name not in models}
        assert fields.keys() == documented[section_name].keys()
        for name, field in fields.items():
            if isinstance(field.default, int | float) and not isinstance(field.default, bool):
                assert float(documented[section_name][name]) == field.default, name

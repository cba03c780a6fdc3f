"""Which models a server is to have: names, folders and settings of their own, from flags, the environment or TOML."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bothends.cli.main import main
from bothends.errors import SettingsError
from bothends.settings import ConfigFile, Settings


def models(bundle: Any) -> list[tuple[str | None, str | None, str]]:
    """Name, folder and precision of each model."""
    found = Settings.load({"bundle": bundle, "engine": "auto"}, {}).models
    return [(name, str(of.bundle) if of.bundle else None, of.precision) for name, of in found]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/models/a", [(None, "/models/a", "float32")]),
        (["/models/a"], [(None, "/models/a", "float32")]),
        ("./a=b", [(None, "a=b", "float32")]),
        ("a,b", [(None, "a,b", "float32")]),
        ("old=/models/a", [("old", "/models/a", "float32")]),
        ("new=,old=/a,b", [("new", None, "float32"), ("old", "/a,b", "float32")]),
        (["new=/a?precision=int8", "old=/b"], [("new", "/a", "int8"), ("old", "/b", "float32")]),
        ([{"name": "new"}, {"name": "old", "folder": "/b", "precision": "bf16"}],
         [("new", None, "float32"), ("old", "/b", "bf16")]),
    ],
)  # fmt: skip
def test_what_each_way_of_naming_models_means(given: Any, expected: list[tuple[str | None, str | None, str]]) -> None:
    """A folder alone is as it always was, whatever is in its name; a table is of a TOML file."""
    assert models(given) == expected


def test_paths_are_made_whole_for_processes_that_work_elsewhere() -> None:
    """As Ray's replicas do; the packaged model has none."""
    new, named, old = Settings.load({"bundle": ["new=", "named=english", "old=models/b?precision=int8"]}, {}).bundles
    assert new.absolute() == new
    assert named.absolute() == named == new.model_copy(update={"name": "named"})
    assert old.absolute() == old.model_copy(update={"folder": Path.cwd() / "models" / "b"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["a=/x", "/y"], "--bundle /y: where a server has several models, each is NAME=FOLDER"),
        ("a=/x,a=/y", "--bundle a=…: two models have this name"),
        ("a=/x?precision=int9", "--bundle a=…: precision int9: input should be 'float32', 'bf16' or 'int8'"),
        ("a=/x?port=1", "--bundle a=…: unknown setting 'port'; a model's own are device, engine, precision"),
        ("a=/x?device=cuda&engine=native", "--bundle a=…: --device cuda runs float32 on onnxruntime"),
        ([{"folder": "/x"}], "--bundle =…: name: String should match pattern"),
        ([{"name": "a", "nam": "b"}], "--bundle a=…: unknown setting 'nam'"),
        ([f"m{number}=" for number in range(17)], "--bundle: 17 models are more than the 16 that one server takes"),
    ],
)
def test_a_wrong_one_is_named(given: Any, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        models(given)
    assert str(raised.value).startswith(message)


def test_the_environment_names_several_too() -> None:
    settings = Settings.load({}, {"BOTHENDS_BUNDLE": "new=/a,old=/b"})
    assert [(bundle.name, bundle.folder) for bundle in settings.bundles] == [("new", Path("/a")), ("old", Path("/b"))]


def test_what_is_not_a_models_own_is_all_models() -> None:
    settings = Settings.load({"bundle": ["new=/a?engine=onnxruntime", "old=/b"], "max_sentences": "7"}, {})
    assert [(of.engine, of.max_sentences, of.max_request_tokens) for _, of in settings.models] == [
        ("onnxruntime", 7, settings.max_request_tokens),
        ("auto", 7, settings.max_request_tokens),
    ]
    assert Settings.model_validate(settings.model_dump()) == settings


def test_the_command_line_takes_one_for_each_model() -> None:
    """A server that has none of a model doesn't start, in a line that begins with its name."""
    free = ["--port", "0", "--http-port", "0"]
    tried = CliRunner().invoke(main, ["serve", "--bundle", "new=", "--bundle", "old=/nowhere", *free])
    assert (tried.exit_code, tried.output) == (
        1,
        "Error: --bundle old=…: there is no bundle at /nowhere: no such folder, and none is fetched by name\n",
    )


def test_an_alias_is_no_other_models_name() -> None:
    """It stands for the first model."""
    with pytest.raises(SettingsError, match="--model-alias old: another model has this name, by --bundle old=…"):
        Settings.load({"bundle": "new=,old=/b", "model_alias": "mine,old"}, {})
    assert Settings.load({"bundle": "new=,old=/b", "model_alias": "mine,new"}, {}).model_aliases == ("mine", "new")


@pytest.mark.parametrize(
    "text",
    [
        'bundle = ["new=english", "old=/b?precision=int8"]',
        '[[bundle]]\nname = "new"\n[[bundle]]\nname = "old"\nfolder = "/b"\nprecision = "int8"',
    ],
)
def test_a_file_names_them_in_a_list_or_by_tables(text: str, tmp_path: Path) -> None:
    """And what is in force can be shown as such a file again."""
    (tmp_path / "serve.toml").write_text(text, encoding="utf-8")
    settings = Settings.load({}, {}, ConfigFile.read(tmp_path / "serve.toml"))
    assert [(name, of.bundle, of.precision) for name, of in settings.models] == [
        ("new", None, "float32"),
        ("old", Path("/b"), "int8"),
    ]
    again = [str(bundle) for bundle in settings.bundles]
    assert Settings.load({"bundle": again}, {}).models == settings.models

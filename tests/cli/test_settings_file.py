"""`bothends serve --config` and `--show-settings`: what is in force, and from where."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bothends.cli.main import main
from bothends.settings import ConfigFile, Settings


def shown(*flags: object, environment: dict[str, str] | None = None) -> Result:
    arguments = ["serve", *map(str, flags), "--show-settings"]
    return CliRunner().invoke(main, arguments, env={"BOTHENDS_CONFIG": ""} | (environment or {}))


def written(folder: Path, text: str) -> Path:
    (folder / "bothends.toml").write_text(text, encoding="utf-8")
    return folder / "bothends.toml"


def lines(printed: str) -> dict[str, str]:
    """Return what stands behind each setting's name, with single spaces."""
    rows = (line.partition(" = ") for line in printed.splitlines() if " = " in line)
    return {name.removeprefix("# "): " ".join(rest.split()) for name, _, rest in rows}


def test_a_flag_wins_over_a_variable_and_that_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, 'port = 1\nhttp_port = 2\nhealth_port = 3\nmodel_alias = ["a", "b"]\nhttp_api = false\n')
    environment = {"BOTHENDS_HTTP_PORT": "12", "BOTHENDS_HEALTH_PORT": "13"}
    found = lines(shown("--config", file, "--health-port", 23, environment=environment).stdout)
    assert found["port"] == f"1 # port in {file}"
    assert found["http_port"] == "12 # BOTHENDS_HTTP_PORT"
    assert found["health_port"] == "23 # --health-port"
    assert found["model_alias"] == f'"a,b" # model_alias in {file}'
    assert found["http_api"] == f"false # http_api in {file}"
    assert found["host"] == '"127.0.0.1" # default'
    assert found.keys() == Settings.options().keys()


def test_what_is_shown_is_a_file_of_the_same_settings(tmp_path: Path) -> None:
    """It pins what was given, and no default: those are comments."""
    given = ["--port", "7", "--model-alias", "a,b", "--no-http-api", "--drain-s", "1.5", "--bundle", "here"]
    file = written(tmp_path, shown(*given).stdout)
    assert set(ConfigFile.read(file).values) == {"port", "model_alias", "http_api", "drain_s", "bundle"}
    flags = {"port": "7", "model_alias": "a,b", "http_api": "false", "drain_s": "1.5", "bundle": "here"}
    assert Settings.load({}, {}, ConfigFile.read(file)) == Settings.load(flags, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "bothends.toml: unknown setting prot; did you mean port?"),
        ("reload_s = 1", "bothends.toml: unknown setting reload_s"),
        ("port = 99999", "bothends.toml: 99999: input should be less than or equal to 65535"),
        ('[server]\nhost = "x"', "[server] is a table; settings stand at the top"),
        ("port =", "bothends.toml is no TOML: Invalid value"),
        ('metrics = "keys"', "--metrics keys needs --api-keys"),
    ],
)
def test_a_wrong_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    answer = shown("--config", written(tmp_path, text))
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert message in answer.stderr.splitlines()[-1]


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """Keys stand in files, whose names alone are settings; a client's key in the environment is none."""
    (tmp_path / "keys.toml").write_text("hush-4711", encoding="utf-8")
    answer = shown("--api-keys", tmp_path / "keys.toml", environment={"BOTHENDS_API_KEY": "hush-4712"})
    assert answer.exit_code == 0
    assert "hush" not in answer.output

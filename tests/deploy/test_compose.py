"""Files of docker compose, without an engine: they lint, they fit their schema, and .env.example names all settings."""

import re
import sys
from pathlib import Path

import pytest

from bothends.settings import ENV_PREFIX, Settings
from tests.support.paths import ROOT
from tests.support.ran import ran
from tests.support.tools import program

BIN = Path(sys.executable).parent
COMPOSE = ROOT / "docker-compose.yml"
GPU = ROOT / "docker-compose.gpu.yml"
FIXED = {"host", "port", "http_port", "health_port", "device", "bundle"}
"""Settings that the image, the compose files or BUNDLE decide."""


def variables(file: Path) -> dict[str, str]:
    """Find names and defaults of the variables that a compose file takes from its surroundings."""
    text = file.read_text(encoding="utf-8")
    found = dict(re.findall(r"\$\{(\w+):[-+]([^{}$]*)", text))
    passed_on = re.findall(rf"^      ((?:{ENV_PREFIX}|OTEL_)\w+):$", text, re.MULTILINE)
    return found | dict.fromkeys(passed_on, "")


@pytest.mark.parametrize("file", ["Dockerfile", "deploy/gateway/Dockerfile"])
def test_dockerfiles_lint(file: str) -> None:
    result = ran(program("hadolint"), ROOT / file)
    assert result.returncode == 0, result.stdout


@pytest.mark.ci
@pytest.mark.slow
def test_compose_files_fit_their_schema() -> None:
    command: list[str | Path] = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE, GPU]
    result = ran(*command)
    assert result.returncode == 0, result.stdout


def test_every_setting_can_be_set_in_the_environment() -> None:
    """Each is passed on to the embedder, but for those that the stack itself decides."""
    assert {name for name in variables(COMPOSE) if name.startswith(ENV_PREFIX)} == {
        ENV_PREFIX + name.upper() for name in Settings.options() if name not in FIXED
    }


def test_the_example_environment_is_whole_and_right() -> None:
    """Each variable of the compose files stands there with its default, and no other."""
    lines = re.findall(r"^# (\w+)=(.*)$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    expected = variables(GPU) | variables(COMPOSE)
    for name, field in Settings.model_fields.items():
        if (variable := ENV_PREFIX + name.upper()) in expected and isinstance(field.default, int | float | str):
            expected[variable] = str(field.default)
    for chosen_elsewhere in ("BUNDLE", "SECRETS", "BOTHENDS_WORKERS"):
        expected[chosen_elsewhere] = ""
    assert dict(lines) == expected
    assert len(lines) == len(expected)


def test_stopping_may_take_longer_than_draining() -> None:
    """An engine that gives less time kills what still answers."""
    grace = variables(COMPOSE)["EMBEDDER_STOP_GRACE"]
    assert int(grace.removesuffix("s")) >= Settings.model_fields["drain_s"].default + 10

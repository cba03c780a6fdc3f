"""Flags and environment to settings: read once, checked where they stand, named where they are wrong."""

import pytest
from click.testing import CliRunner

from bothends.cli.main import main
from bothends.errors import SettingsError
from bothends.settings import ENV_PREFIX, Settings, flag
from tests.support.paths import ROOT


def test_a_flag_wins_over_the_environment_and_that_over_the_default() -> None:
    environment = {
        "BOTHENDS_SERVER": "there:1",
        "BOTHENDS_API_KEY": "a client's",
        "BOTHENDS_PORT": "1",
        "BOTHENDS_HTTP_PORT": "2",
        "BOTHENDS_BUNDLE": "",
        "PATH": "/bin",
    }
    settings = Settings.load({"port": "3"}, environment)
    assert (settings.port, settings.http_port, settings.host, settings.bundle) == (3, 2, "127.0.0.1", None)


@pytest.mark.parametrize(
    ("flags", "environment", "message"),
    [
        ({"port": "99999"}, {}, "--port 99999: input should be less than or equal to 65535"),
        ({}, {"BOTHENDS_PORT": "a"}, "BOTHENDS_PORT a: input should be a valid integer"),
        ({"device": "tpu"}, {}, "--device tpu: input should be 'auto', 'cpu' or 'cuda'"),
        ({}, {"BOTHENDS_PROT": "1"}, r"unknown setting BOTHENDS_PROT; did you mean BOTHENDS_PORT\?"),
        ({"drain_s": "inf"}, {}, "--drain-s inf: input should be less than or equal to 3600"),
        ({"max_message_bytes": "99999999999"}, {}, "--max-message-bytes 99999999999"),
        ({"max_batch_rows": "0"}, {}, "--max-batch-rows 0: input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_named_by_its_source(
    flags: dict[str, str], environment: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings.load(flags, environment)


def test_every_setting_is_documented() -> None:
    """docs/settings.md has a row for each, with flag, variable and default."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None or field.default_factory else f"`{field.default}`"
        assert f"| `{flag(name)}` | `{ENV_PREFIX}{name.upper()}` | {default}" in text, name


def test_every_setting_is_a_flag_with_help() -> None:
    result = CliRunner().invoke(main, ["serve", "--help"])
    for name in Settings.model_fields:
        assert flag(name) in result.output

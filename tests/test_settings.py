"""Settings from flags and environment: read once, checked where they stand, named where they are wrong."""

import pytest
from click.testing import CliRunner

from bothends.cli.main import main
from bothends.errors import SettingsError
from bothends.settings import (
    ENV_PREFIX,
    AccessSettings,
    BatchingSettings,
    EmbedderSettings,
    EngineSettings,
    GrpcSettings,
    HttpSettings,
    ListenerSettings,
    ModelSettings,
    ObserveSettings,
    PortSettings,
    ReloadSettings,
    RequestSettings,
    Section,
    Settings,
    SupervisorSettings,
    flag,
)
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


SECTIONS = [
    EngineSettings,
    BatchingSettings,
    RequestSettings,
    ReloadSettings,
    SupervisorSettings,
    ListenerSettings,
    GrpcSettings,
    HttpSettings,
    AccessSettings,
    ObserveSettings,
]


@pytest.mark.parametrize("section", [*SECTIONS, EmbedderSettings, ModelSettings, PortSettings])
def test_a_section_stands_alone_and_knows_no_other(section: type[Section]) -> None:
    """A section has a server's defaults, and a setting of another section isn't one of its own."""
    whole, alone = Settings().model_dump(), section().model_dump()
    assert alone == {name: whole[name] for name in alone}
    stranger = next(name for name in whole if name not in alone)
    with pytest.raises(SettingsError, match=f"unknown setting {stranger}"):
        section.load({stranger: "1"}, {})


def test_each_setting_stands_in_one_section() -> None:
    """A setting is defined once; gRPC and HTTP share those of a listener."""
    defined = [name for section in SECTIONS for name in vars(section)["__annotations__"]]
    assert sorted(defined) == sorted(Settings.model_fields)


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        (EngineSettings, {"engine": "onnxruntime", "precision": "bf16"}, "--precision bf16 needs --engine native"),
        (EngineSettings, {"engine": "native", "device": "cuda"}, "--device cuda runs float32 on onnxruntime"),
        (EmbedderSettings, {"engine": "native", "device": "cuda"}, "--device cuda runs float32 on onnxruntime"),
        (AccessSettings, {"tls_cert": "here"}, "--tls-cert needs --tls-key"),
        (AccessSettings, {"metrics": "keys"}, "--metrics keys needs --api-keys"),
        (Settings, {"engine": "native", "device": "cuda"}, "--device cuda runs float32 on onnxruntime"),
        (Settings, {"tls_client_ca": "here"}, "--tls-client-ca needs --tls-cert"),
        (Settings, {"metrics": "keys"}, "--metrics keys needs --api-keys"),
    ],
)
def test_what_one_setting_needs_is_asked_by_its_section(
    section: type[Section], values: dict[str, str], message: str
) -> None:
    """A section refuses the same, with the same words, by itself and in a server's settings."""
    with pytest.raises(SettingsError, match=message):
        section.load(values, {})


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

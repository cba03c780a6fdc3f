"""Settings from flags and environment: read once, checked where they stand, named where they are wrong."""

import re

import pytest
from click.testing import CliRunner

from bothends.cli.main import main
from bothends.errors import SettingsError
from bothends.settings import (
    ENV_PREFIX,
    GROUPS,
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
        ({"reload_s": "1"}, {}, "unknown setting reload_s"),
        ({}, {"BOTHENDS_RELOAD_S": "1"}, "unknown setting BOTHENDS_RELOAD_S"),
        ({"max_message_bytes": "99999999999"}, {}, "--max-message-bytes 99999999999"),
        ({"max_batch_tokens": "0"}, {}, "--max-batch-tokens 0: input should be greater than or equal to 1"),
        ({"transport_shards": "0"}, {}, "--transport-shards 0: input should be greater than or equal to 1"),
        ({}, {"BOTHENDS_TRANSPORT_SHARDS": "65"}, "BOTHENDS_TRANSPORT_SHARDS 65: input should be less than or equal"),
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
        (HttpSettings, {"model_alias": "a b,c"}, "--model-alias 'a b': a name has no spaces; commas stand between"),
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


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ("proxy.local", "'proxy.local' does not appear to be an IPv4 or IPv6 network"),
        ("10.0.0.0/8, 10.0.0.0/33", "'10.0.0.0/33' does not appear to be an IPv4 or IPv6 network"),
        ("::1,10.1.2.3/8", "10.1.2.3/8 has host bits set"),
        ("10.0.0.1 10.0.0.2", "'10.0.0.1 10.0.0.2' does not appear to be an IPv4 or IPv6 network"),
        ("10.0.0.1\n10.0.0.2", r"'10.0.0.1\n10.0.0.2' does not appear to be an IPv4 or IPv6 network"),
    ],
)
def test_proxies_are_trusted_by_addresses_and_networks_alone(given: str, wrong: str) -> None:
    """What is neither is refused with one line, which says which it is and how to write one."""
    with pytest.raises(SettingsError) as raised:
        Settings.load({"trusted_proxies": given}, {})
    assert str(raised.value) == f"--trusted-proxies: {wrong}; write an address, or a network as 10.0.0.0/8"


def test_trusted_proxies_have_commas_between_them() -> None:
    given = {"BOTHENDS_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.7,fd00::/8"}
    assert [str(each) for each in Settings.load({}, given).proxies] == ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"]
    assert Settings.load({}, {"BOTHENDS_TRUSTED_PROXIES": ""}).proxies == ()
    mapped = Settings.load({"trusted_proxies": "::ffff:10.0.0.0/104,::ffff:192.0.2.7"}, {}).proxies
    assert [str(each) for each in mapped] == ["10.0.0.0/8", "192.0.2.7/32"]


def test_a_fixed_bound_is_no_option_but_a_programs_to_set() -> None:
    """It has no flag and no variable, and a program that loads the settings may give another."""
    assert "reload_s" not in Settings.options()
    assert Settings.load({"port": "3"}, {}, reload_s=0.5).reload_s == 0.5


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"max_request_tokens": 262144, "max_uvicorn_connections": 128, "max_inflated_bytes": 4 << 20}),
        ({"max_sentences": "2048"}, {"max_request_tokens": 524288}),
        ({"max_sentences": "3"}, {"max_request_tokens": 262144}),
        ({"max_connections": "2"}, {"max_uvicorn_connections": 1}),
        ({"max_message_bytes": "2000"}, {"max_inflated_bytes": 2000}),
        ({"compression": "false"}, {"max_inflated_bytes": 0}),
        ({"engine": "native/avx2"}, {"native_level": "avx2", "needs_native": True}),
        ({"engine": "native/neon_dot"}, {"native_level": "neon_dot", "needs_native": True}),
        ({"engine": "onnxruntime"}, {"native_level": "auto", "needs_native": False}),
    ],
)
def test_what_follows_from_other_settings(given: dict[str, str], expected: dict[str, object]) -> None:
    settings = Settings.load(given, {})
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("given", "cores", "takers", "expected"),
    [(None, 2, 2, 2), (None, 2, 8, 8), (None, 96, 96, 64), (None, 1, 8, 1), (4, 1, 1, 4), (1, 16, 16, 1)],
)
def test_a_transport_has_as_many_shards_as_threads_take_from_it(
    given: int | None, cores: int, takers: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it is told a number, or there is one core, where several would only take turns."""
    monkeypatch.setattr("bothends.settings.ports.usable_cpus", lambda: cores)
    assert GrpcSettings(transport_shards=given).shards_for(takers) == expected


def shown_default(name: str) -> str:
    """Make the default as docs/settings.md shows it: nothing where it depends on others."""
    field = Settings.model_fields[name]
    return "" if field.default is None or field.default_factory else f"`{field.default}`"


def test_every_option_is_documented_where_the_help_shows_it() -> None:
    """docs/settings.md has the groups of the help, with each option of them: flag, variable and default, in order."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^(?:## (.+)|\| (?:`(--\S+)` \| `(\w+)` \| (\S*) \|.*))$", text, re.MULTILINE)
    expected: list[tuple[str, ...]] = []
    for group in GROUPS:
        expected.append((group, "", "", ""))
        for name, shown in Settings.options().items():
            if shown.group == group:
                expected.append(("", flag(name), f"{ENV_PREFIX}{name.upper()}", shown_default(name)))
    assert rows[: len(expected)] == expected


def test_every_fixed_bound_is_documented() -> None:
    """docs/settings.md has a row for each, with its value."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for name in Settings.model_fields.keys() - Settings.options().keys():
        value = getattr(Settings(), name)
        assert f"| `{name}` | {'' if value is None else f'`{value}`'} | " in text, name


@pytest.mark.parametrize(("given", "expected"), [([], True), (["--http-api"], True), (["--no-http-api"], False)])
def test_a_switch_needs_no_value(monkeypatch: pytest.MonkeyPatch, given: list[str], expected: bool) -> None:
    """A flag on the command line comes to the server's settings."""
    served = list[Settings]()
    monkeypatch.setattr("bothends.server.server.Server.__init__", lambda _, settings: served.append(settings))
    CliRunner().invoke(main, ["serve", *given])
    assert [settings.http_api for settings in served] == [expected]

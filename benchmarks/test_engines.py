"""Engines by name, and the flags that make a server take each."""

import pytest

import engines
from bothends.settings import Settings
from results import ENGINES


@pytest.mark.parametrize("name", ENGINES)
def test_a_server_is_told_its_engine_by_flags_that_it_has(name: str) -> None:
    flags = iter(engines.flags(name))
    told = {flag.removeprefix("--"): value for flag, value in zip(flags, flags, strict=True)}
    settings = Settings(**told)
    assert settings.engine == name.split()[0]
    assert settings.precision == (name.split()[1] if " " in name else "float32")

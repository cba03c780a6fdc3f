"""Reads settings from a TOML file: a key for each option, named like its flag, with underscores."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ..errors import SettingsError

CONFIG_VARIABLE = "BOTHENDS_CONFIG"
"""Variable that names the file where no flag does."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """Settings file and its content."""

    path: Path
    values: Mapping[str, Any]
    """Values by key, as TOML has them; a list of texts is one text with commas."""

    @classmethod
    def chosen(cls, flag: str | None, environment: Mapping[str, str]) -> Self | None:
        """Read the file that the flag names, or otherwise the environment; None if neither does.

        Raises SettingsError.
        """
        named = flag or environment.get(CONFIG_VARIABLE)
        return cls.read(Path(named)) if named else None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file at `path`. Raises SettingsError."""
        try:
            with path.open("rb") as file:
                found = tomllib.load(file)
        except OSError as error:
            raise SettingsError(f"can't read the settings in {path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} is no TOML: {error}") from None
        for name, value in found.items():
            if isinstance(value, dict):
                raise SettingsError(
                    f"{path}: [{name}] is a table; settings stand at the top, one `name = value` a line"
                )
        return cls(path, {name: _joined(value) for name, value in found.items()})


def _joined(value: Any) -> Any:
    """Return a list of texts as one text with commas, which is what settings of several names are."""
    return ",".join(value) if isinstance(value, list) and all(isinstance(each, str) for each in value) else value

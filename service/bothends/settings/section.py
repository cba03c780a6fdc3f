"""Reads a section of settings once, from flags and the environment, into a frozen object; errors name flag or variable.

A setting's name, default, help and check stand in its section.
"""

import difflib
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import SettingsError
from ..validation import first_problem

ENV_PREFIX = "BOTHENDS_"
INT32 = 2**31 - 1
"""Largest bound of what is counted in 32 bits."""
_CLIENT_VARIABLES = {"BOTHENDS_SERVER", "BOTHENDS_CA", "BOTHENDS_API_KEY", "BOTHENDS_API_KEY_FILE"}
"""Read by the command line's client side; a server may be started where they are set."""


class Section(BaseModel):
    """Some settings. A field `max_tokens` is the flag `--max-tokens` and the variable BOTHENDS_MAX_TOKENS."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def load(cls, flags: Mapping[str, str], environment: Mapping[str, str]) -> Self:
        """Settings from the flags given (by field name), then the environment, then the defaults.

        Raises SettingsError that names the flag or variable at fault.
        """
        known = {ENV_PREFIX + name.upper(): name for name in cls.model_fields}
        values: dict[str, str] = {}
        for variable, value in environment.items():
            if variable in known:
                if value:  # an empty variable is an unset one, as compose files write it
                    values[known[variable]] = value
            elif variable.startswith(ENV_PREFIX) and variable not in _CLIENT_VARIABLES:
                raise SettingsError(f"unknown setting {variable}{_hint(variable, known)}")
        for name in flags:
            if name not in cls.model_fields:
                raise SettingsError(f"unknown setting {name}{_hint(name, cls.model_fields)}")
        try:
            return cls.model_validate(values | dict(flags))
        except ValidationError as error:
            first = first_problem(error)
            name = first.path[0]
            source = flag(name) if name in flags else ENV_PREFIX + name.upper()
            raise SettingsError(f"{source} {first.found}: {first.lower_message}") from error


def flag(name: str) -> str:
    """The command line's name of a setting: max_tokens is --max-tokens."""
    return "--" + name.replace("_", "-")


def _hint(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""

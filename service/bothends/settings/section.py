"""Reads a section of settings once, from flags and the environment, into a frozen object; errors name flag or variable.

A setting's name, default, help and check are declared in its section, either as an option or as a fixed bound.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Self, TypeAlias, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import SettingsError
from ..validation import first_problem
from .config_file import CONFIG_VARIABLE, ConfigFile

ENV_PREFIX = "BOTHENDS_"
INT32 = 2**31 - 1
"""Largest bound of what is counted in 32 bits."""
Group: TypeAlias = Literal["Start here", "What computes", "Requests", "Who may call", "Connections", "Running"]
"""Heading under which the help and docs/settings.md show an option."""
GROUPS: tuple[Group, ...] = get_args(Group)
"""All groups, in the order in which they are shown."""
_CLIENT_VARIABLES = {"BOTHENDS_SERVER", "BOTHENDS_CA", "BOTHENDS_API_KEY", "BOTHENDS_API_KEY_FILE"}
"""Variables of the command line's client side, which are allowed when a server starts."""
_OTHER_VARIABLES = {*_CLIENT_VARIABLES, CONFIG_VARIABLE}


class Option(NamedTuple):
    """What is shown to users about a setting that they may choose."""

    group: Group
    is_rare: bool
    """True if `--help-all` alone shows it."""


def option(group: Group, description: str, default: Any = None, *, is_rare: bool = False, **checks: Any) -> Any:
    """Declare a setting that users may choose: a flag of `bothends serve`, and an environment variable.

    `checks` are arguments of pydantic's Field.
    """
    shown = Option(group, is_rare)._asdict()
    if "default_factory" not in checks:
        checks["default"] = default
    return Field(description=description, json_schema_extra=shown, **checks)


def fixed(reason: str, value: Any = None, *, of: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Declare a bound without flag and variable, since its value suits everybody, for the `reason` given.

    Instead of a `value`, `of` computes it from the fields before it. A program that makes the settings itself may
    change it, as tests do.
    """
    return Field(description=reason, default=value) if of is None else Field(description=reason, default_factory=of)


class Section(BaseModel):
    """Section of settings. An option `max_tokens` is the flag `--max-tokens` and the variable BOTHENDS_MAX_TOKENS."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def options(cls) -> dict[str, Option]:
        """Return what is shown to users about each option; the other fields are fixed bounds."""
        return {
            name: Option(**cast("dict[str, Any]", field.json_schema_extra))
            for name, field in cls.model_fields.items()
            if field.json_schema_extra
        }

    @classmethod
    def load(
        cls,
        flags: Mapping[str, str | Sequence[str]],
        environment: Mapping[str, str],
        file: ConfigFile | None = None,
        /,
        **bounds: object,
    ) -> Self:
        """Make settings from the given flags (by field name), then the environment, then the file, then the defaults.

        `bounds` are values from the calling program. They override all others, and may set fields that users can't.
        Raises SettingsError that names the flag, the variable or the file's key at fault.
        """
        given = cls.given(flags, environment, file)
        try:
            return cls.model_validate({name: value for name, (value, _) in given.items()} | bounds)
        except ValidationError as error:
            first = first_problem(error)
            name = first.path[0]
            origin = given[name][1] if name in given else ENV_PREFIX + name.upper()
            raise SettingsError(f"{origin} {first.found}: {first.lower_message}") from error

    @classmethod
    def given(
        cls, flags: Mapping[str, str | Sequence[str]], environment: Mapping[str, str], file: ConfigFile | None = None
    ) -> dict[str, tuple[Any, str]]:
        """Return the value of each option that was given, and its origin: a flag, a variable, or a key of the file.

        Raises SettingsError for an unknown one.
        """
        options = cls.options()
        found: dict[str, tuple[Any, str]] = {}
        for name, value in ({} if file is None else file.values).items():
            if name not in options:
                raise SettingsError(f"{file and file.path}: unknown setting {name}{_hint(name, options)}")
            found[name] = (value, f"{name} in {file and file.path}:")
        known = {ENV_PREFIX + name.upper(): name for name in options}
        for variable, text in environment.items():
            if variable in known:
                if text:  # an empty variable is an unset one, as compose files write it
                    found[known[variable]] = (text, variable)
            elif variable.startswith(ENV_PREFIX) and variable not in _OTHER_VARIABLES:
                raise SettingsError(f"unknown setting {variable}{_hint(variable, known)}")
        for name, given in flags.items():
            if name not in options:
                raise SettingsError(f"unknown setting {name}{_hint(name, options)}")
            found[name] = (given, flag(name))
        return found


def flag(name: str) -> str:
    """Return the flag of a setting: "--max-tokens" for "max_tokens"."""
    return "--" + name.replace("_", "-")


def _hint(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def names(listed: str | None) -> tuple[str, ...]:
    """Split a comma-separated list of names."""
    return tuple(name for part in (listed or "").split(",") if (name := part.strip()))

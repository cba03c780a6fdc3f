"""Reads which models a server is to have: `NAME=FOLDER?KEY=VALUE&…`, repeated, or the tables of a TOML file."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeGuard
from urllib.parse import parse_qsl, urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import SettingsError
from ..validation import one_line
from .packaged import chosen

MAX_BUNDLES = 16
"""Models of one server: each is completely in memory, and has its own series in the metrics."""
_NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
_NAMED = re.compile(rf"(?P<name>{_NAME})=(?P<folder>[^?]*)(?:\?(?P<engine>.*))?", re.DOTALL)
_BETWEEN = re.compile(rf",(?={_NAME}=)")
_FORM = "NAME=FOLDER or NAME=FOLDER?KEY=VALUE&…"


class NamedBundle(BaseModel):
    """Model among several: the name by which callers ask for it, its folder, and its own engine settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=f"^{_NAME}$")
    folder: Path | None = None
    """None for the packaged model."""
    engine: dict[str, str] = {}
    """Settings of the engine that are this model's own, by their names."""

    def absolute(self) -> Self:
        """Return the same with an absolute path, for processes that work in another folder."""
        return self.model_copy(update={"folder": self.folder and self.folder.absolute()})

    def __str__(self) -> str:
        """Write it as it may be given."""
        own = f"?{urlencode(self.engine)}" if self.engine else ""
        return f"{self.name}={self.folder or ''}{own}"


def is_named(bundle: object) -> TypeGuard[str | Sequence[str | Mapping[str, Any]]]:
    """Return True if `bundle`, as the user gave it, includes a name or is one of several."""
    if isinstance(bundle, str):
        return _NAMED.fullmatch(bundle) is not None
    return isinstance(bundle, list | tuple) and bool(bundle)


def parse_bundles(given: str | Sequence[str | Mapping[str, Any]], known: Sequence[str]) -> tuple[NamedBundle, ...]:
    """Parse models as the user gave them: one by one, or separated by commas as in the environment.

    `known` are the settings that each model may have of its own. Raises SettingsError.
    """
    listed = _BETWEEN.split(given) if isinstance(given, str) else given
    found = tuple(_parse(one, known) for one in listed)
    names = [bundle.name for bundle in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SettingsError(f"--bundle {twice}=…: two models have this name")
    if "default" in names[1:]:
        raise SettingsError("--bundle default=…: over HTTP that is another name of the first")
    if len(found) > MAX_BUNDLES:
        raise SettingsError(f"--bundle: {len(found)} models are more than the {MAX_BUNDLES} that one server takes")
    return found


def _parse(given: str | Mapping[str, Any], known: Sequence[str]) -> NamedBundle:
    if isinstance(given, str):
        matched = _NAMED.fullmatch(given)
        if matched is None:
            raise SettingsError(f"--bundle {given}: where a server has several models, each is {_FORM}")
        engine = dict(parse_qsl(matched["engine"] or "", keep_blank_values=True))
        name, folder = matched["name"], matched["folder"]
    else:
        engine = {key: str(value) for key, value in given.items() if key not in NamedBundle.model_fields}
        name, folder = str(given.get("name", "")), str(given.get("folder") or "")
        engine |= given.get("engine") or {}
    if strange := next((key for key in engine if key not in known), None):
        raise SettingsError(f"--bundle {name}=…: unknown setting {strange!r}; a model's own are {', '.join(known)}")
    try:
        return NamedBundle(name=name, folder=chosen(Path(folder)) if folder else None, engine=engine)
    except ValidationError as error:
        raise SettingsError(f"--bundle {name}=…: {one_line(error)}") from None

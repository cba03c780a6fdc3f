"""Reads the file of API keys, and finds the account of a call's key.

The file holds only the SHA-256 of each key, so that reading it doesn't let anybody call. A fast hash is enough here,
unlike for passwords: `new` draws 256 random bits, which can't be guessed at any speed.
"""

import hashlib
import hmac
import re
import secrets
import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ..errors import SettingsError, StartupError, UnauthenticatedError
from ..settings import Settings
from ..validation import first_problem
from .quota import KeyAccount, Quota
from .reloading import ReloadingFile, read_bytes
from .usage import CreateUsage, LocalUsage

_NAME = r"^[A-Za-z0-9_-]{1,32}$"
"""Pattern of a key's name: shorter than a key, so that a key in its place is refused, and never shown."""
_SCHEME = b"bearer"
NO_KEY = "no API key came with the call; send it as `authorization: Bearer KEY`"
UNKNOWN_KEY = "this API key isn't known here"


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    sentences_per_s: float | None = Field(None, gt=0, le=1e9)
    concurrent_sentences: int | None = Field(None, ge=1, le=2**31 - 1)

    @property
    def limits(self) -> Quota:
        return Quota(self.sentences_per_s, self.concurrent_sentences)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    # Not empty, as a file is for a moment that is written over: it would lock every caller out.
    keys: dict[Annotated[str, StringConstraints(pattern=_NAME)], _Entry] = Field(min_length=1)


class Keys:
    """API keys of a server, as its key file lists them now."""

    def __init__(self, path: Path, *, every_s: float = 5.0, create_usage: CreateUsage = LocalUsage) -> None:
        """Read `path`, and look for changes every so often. Raises StartupError that names line or entry.

        `create_usage` makes what counts a key's share.
        """
        self._path = path
        self._create_usage = create_usage
        self._accounts: dict[str, KeyAccount] = {}
        self._known = ReloadingFile([path], self._read, every_s=every_s)
        self.reload = self._known.reload

    @classmethod
    def load(cls, settings: Settings, *, create_usage: CreateUsage = LocalUsage) -> Self | None:
        """Read the key file that `settings` name; None if callers need no key. Raises StartupError."""
        if settings.api_keys is None:
            return None
        return cls(settings.api_keys, every_s=settings.reload_s, create_usage=create_usage)

    def identify(self, authorization: str | bytes | None) -> KeyAccount:
        """Return the account of the key in a header `authorization: Bearer KEY`. Raises UnauthenticatedError."""
        return self.account_of(digest(authorization))

    def account_of(self, key: bytes | None) -> KeyAccount:
        """Return the account of the key with this SHA-256 (see `digest`). Raises UnauthenticatedError."""
        if key is None:
            raise UnauthenticatedError(NO_KEY)
        account = find(key, self.known)
        if account is None:
            raise UnauthenticatedError(UNKNOWN_KEY)
        return account

    @property
    def known(self) -> list[tuple[bytes, KeyAccount]]:
        """SHA-256 and account of each key. It is a new list object whenever the file has changed."""
        return self._known.value

    def _read(self) -> list[tuple[bytes, KeyAccount]]:
        """Read the file. A key that stays keeps its account, and what it has in progress."""
        entries = parse(read_bytes(self._path, "--api-keys"), self._path)
        known: list[tuple[bytes, KeyAccount]] = []
        for name, entry in entries.items():
            account = self._accounts.get(name) or KeyAccount(name, entry.limits, create_usage=self._create_usage)
            self._accounts[name] = account
            account.limits = entry.limits
            known.append((bytes.fromhex(entry.sha256), account))
        return known


def digest(authorization: str | bytes | None) -> bytes | None:
    """Return the SHA-256 of the key in a header `authorization: Bearer KEY`, or None without such a header.

    A header in another form gets a digest that matches no key.
    """
    if authorization is None:
        return None
    if isinstance(authorization, str):
        authorization = authorization.encode("utf-8", "surrogateescape")
    scheme, _, key = authorization.partition(b" ")
    return hashlib.sha256(key.strip()).digest() if scheme.lower() == _SCHEME else b""


def find(digest: bytes, known: list[tuple[bytes, KeyAccount]]) -> KeyAccount | None:
    """Return the account whose key has this SHA-256, or None; the time that it takes doesn't depend on the result."""
    found = None
    for other, account in known:
        if hmac.compare_digest(digest, other):
            found = account
    return found


def parse(content: bytes, path: Path) -> dict[str, _Entry]:
    """Parse a key file into entries by name. Raises StartupError that names the line or entry, and quotes nothing."""
    try:
        entries = _File.model_validate(tomllib.loads(content.decode())).keys
    except UnicodeDecodeError:
        raise StartupError(f"--api-keys {path}: isn't UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise StartupError(f"--api-keys {path}: {f'line {line[1]}' if line else 'its end'} isn't valid TOML") from None
    except ValidationError as error:
        raise StartupError(f"--api-keys {path}: {_first_mistake(error)}") from None
    names: dict[str, str] = {}
    for name, entry in entries.items():
        if (other := names.setdefault(entry.sha256, name)) != name:
            raise StartupError(f"--api-keys {path}: keys.{other} and keys.{name} are the same key")
    return entries


def new(name: str) -> tuple[str, str]:
    """Draw a new key; returns the key, and the lines for a key file that allow it. Raises SettingsError."""
    if not re.match(_NAME, name):
        raise SettingsError("a key's name is 1 to 32 letters, digits, - or _")
    key = f"bothends_{secrets.token_urlsafe(32)}"
    return key, f'[keys.{name}]\nsha256 = "{hashlib.sha256(key.encode()).hexdigest()}"\n'


def _first_mistake(error: ValidationError) -> str:
    """Return the location of the first mistake and what is wrong, without quoting the value."""
    first = first_problem(error)
    if first.path[-1] == "[key]":
        return "a key's name is 1 to 32 letters, digits, - or _"
    index = ".".join(part if len(part) <= 32 else "…" for part in first.path)
    message = {"missing": "is missing", "extra_forbidden": "isn't known"}.get(first.kind, first.lower_message)
    return f"{index}: {message}"

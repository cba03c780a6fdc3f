"""Proves a bundle in a separate process, so that no bundle can cost this process its memory or its time.

proving.py is the program that this process runs.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from ..errors import BothendsError, BundleError, SelfTestError
from ..model.bundle import BundleConfig, check, default_path, read_config, size
from ..settings import EmbedderSettings

NICE = 10
_WALL_S = 600.0
"""Seconds after which a process that has come to nothing is ended. Its time on a processor is bound much closer."""
_SIGNALS = {6: "asked for more memory than that", 9: "was killed, for its memory perhaps", 24: "took too long"}
"""Meanings of the signals by which such a process ends: SIGABRT, SIGKILL, SIGXCPU."""
_ENDS_S = 5.0


def digest(config: BundleConfig) -> str:
    """Return a digest of a bundle's whole content: its config holds the hash of each other file."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()


class Proof(Protocol):
    """Proof of a bundle that is in progress. Close it to end that."""

    def has_ended(self, wait_s: float) -> bool:
        """Wait up to `wait_s` seconds for the end; returns True if it has ended."""
        ...

    def result(self) -> str:
        """Return the digest of the proved bundle, after it has ended. Raises BundleError, such as SelfTestError."""
        ...

    def close(self) -> None:
        """End the proof if it is still in progress."""
        ...


Prove: TypeAlias = Callable[[Path], Proof]
"""Function that starts to prove the bundle in a folder. Raises BundleError if its hashes are wrong."""
_proved: set[tuple[str, str]] = set()
"""Digests of what was proved in this process's life, each with the settings: no second proof is needed."""


def prove(path: Path, settings: EmbedderSettings, *, niceness: int = NICE) -> Proof:
    """Start to prove the bundle at `path` as `settings` would load it, unless it was proved before, by this process or
    with the package.

    `niceness`, from 0 to 19, gives other processes priority, whose callers wait. Raises BundleError if there is no
    bundle, or its files don't have the hashes in its config.
    """
    config = read_config(path)
    if (digest(config), _written(settings)) in _proved or _is_packaged(config):
        return _Known(digest(config))
    check(path)
    return Process(path, settings, niceness)


def _is_packaged(config: BundleConfig) -> bool:
    try:
        return config == read_config(default_path())
    except BundleError:  # only a model that somebody brings is here
        return False


class _Known:
    """The result of an earlier proof of the same bundle."""

    def __init__(self, found: str) -> None:
        self._found = found

    def has_ended(self, wait_s: float) -> bool:  # noqa: ARG002  what a proof may be asked
        return True

    def result(self) -> str:
        return self._found

    def close(self) -> None:
        pass


class Process:
    """Process that proves one bundle."""

    def __init__(self, path: Path, settings: EmbedderSettings, niceness: int) -> None:
        """Start the process. Raises BundleError if there is no bundle at `path`."""
        self._path = path
        bundle_bytes = size(path)
        self._max_bytes, self._max_s = (1 << 30) + 6 * bundle_bytes, 60 + 60 * (bundle_bytes >> 30)
        self._settings = _written(settings)
        asked = {
            "path": str(path),
            "max_bytes": self._max_bytes,
            "max_s": self._max_s,
            "niceness": niceness,
            "settings": json.loads(self._settings),
        }
        self._process = subprocess.Popen(  # noqa: S603  this very interpreter
            [sys.executable, "-m", f"{__package__}.proving"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "MALLOC_ARENA_MAX": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"},
        )
        self._said = b""
        self._reader = threading.Thread(target=self._talk, args=(json.dumps(asked).encode(),), daemon=True)
        self._reader.start()

    def has_ended(self, wait_s: float) -> bool:
        """Wait up to `wait_s` seconds for the end; returns True if it has ended."""
        self._reader.join(wait_s)
        return not self._reader.is_alive()

    def result(self) -> str:
        """Return the digest of the proved bundle, after it has ended. Raises BundleError, such as SelfTestError."""
        self._reader.join()
        status = self._process.wait()
        if status == 0:
            found = _read(self._said)
            _proved.add((found, self._settings))
            return found
        why = _SIGNALS.get(-status, f"ended with {status}")
        raise BundleError(
            f"{self._path}: the process that was to prove it {why}; "
            f"it may take {self._max_bytes >> 20} MiB of memory and {self._max_s} s of a processor"
        )

    def close(self) -> None:
        """End the process if it is still running."""
        self._process.kill()
        self._reader.join(_ENDS_S)
        self._process.wait()

    def _talk(self, asked: bytes) -> None:
        with suppress(OSError, ValueError, subprocess.TimeoutExpired):
            self._said, _ = self._process.communicate(asked, _WALL_S)
        if self._process.poll() is None:
            self._process.kill()


def _written(settings: EmbedderSettings) -> str:
    return settings.model_dump_json(include=set(EmbedderSettings.model_fields))


def _read(said: bytes) -> str:
    verdict: dict[str, Any] = json.loads(said)
    match verdict:
        case {"proved": str(found)}:
            return found
        case {"self_test": reason, "difference": difference}:
            raise SelfTestError(reason, difference=difference)
        case {"bundle": reason}:
            raise BundleError(reason)
    raise BothendsError("the process that was to prove a bundle said nothing that can be read")

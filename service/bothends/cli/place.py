"""Chooses where a command's model runs: in this process, loaded according to its flags, or on a server that they
name.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bulk.engines import BulkEngine, LocalEngine, RemoteEngine
from ..errors import SettingsError
from ..options import EmbedOptions
from .client_options import CONNECTION, connect
from .embed_options import MODEL

if TYPE_CHECKING:
    from ..encoder import Encoder

_FILE_TIMEOUT_S = 300.0
_PERSISTENCE = {"attempts": 1000, "longest_wait_s": 5.0, "burst": 100_000}
"""Retries of a run over a file, which outlasts a restart of its servers, within each request's time."""


def check_place(given: set[str], *, is_local: bool) -> None:
    """Raise SettingsError if a `given` flag applies only to a local model (`is_local` False) or only to a server
    (True).
    """
    of_connection, of_model = given & set(CONNECTION), given & set(MODEL)
    if "bundle" in given and of_connection:
        raise SettingsError(f"--bundle embeds in this process, {_flag(min(of_connection))} elsewhere; give one of them")
    if not is_local and of_model:
        raise SettingsError(f"{_flag(min(of_model))} is for a model in this process; a server has its own")


def load_encoder(*, bundle: Path | None, **flags: Any) -> "Encoder":
    """Load the model according to the flags; only those of MODEL are used."""
    from ..encoder import Encoder

    return Encoder.load(bundle, **{name: flags[name] for name in MODEL if flags[name] is not None})


def load_engine(connection: dict[str, Any] | None, options: EmbedOptions, **flags: Any) -> BulkEngine:
    """Make the engine that embeds a file: servers, according to the flags of `connection`; if None, a model in this
    process.
    """
    if connection is None:
        return LocalEngine(load_encoder(**flags), options)
    timeout_s = flags["timeout"] or _FILE_TIMEOUT_S
    return RemoteEngine(connect(timeout_s=timeout_s, retry=_PERSISTENCE, **connection), options)


def _flag(parameter: str) -> str:
    return "--" + parameter.replace("_", "-")

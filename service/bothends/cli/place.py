"""Where a command's model runs: in this process, loaded by its flags, or in a server that they name."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from .client_options import CONNECTION
from .embed_options import MODEL

if TYPE_CHECKING:
    from ..encoder import Encoder


def check_place(given: set[str], *, is_local: bool) -> None:
    """Check that no flag `given` is for the place that isn't meant. Raises SettingsError."""
    of_connection, of_model = given & set(CONNECTION), given & set(MODEL)
    if "bundle" in given and of_connection:
        raise SettingsError(f"--bundle embeds in this process, {_flag(min(of_connection))} elsewhere; give one of them")
    if not is_local and of_model:
        raise SettingsError(f"{_flag(min(of_model))} is for a model in this process; a server has its own")


def load_encoder(*, bundle: Path | None, **flags: Any) -> "Encoder":
    """Load the model that the flags say, of which only those of MODEL are looked at."""
    from ..encoder import Encoder

    return Encoder.load(bundle, **{name: flags[name] for name in MODEL if flags[name] is not None})


def _flag(parameter: str) -> str:
    return "--" + parameter.replace("_", "-")

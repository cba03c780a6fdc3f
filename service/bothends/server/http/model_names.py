"""Finds the model that a request asks for by name."""

from collections.abc import Sequence

from ...core.embedder import Embedder
from ...errors import UnknownModelError
from ...text import printable

DEFAULT = "default"
"""Name by which a caller asks for whichever model is served."""
_SHOWN_CHARS = 64


class ModelNames:
    """The names of the model that an embedder serves: its own, and aliases."""

    def __init__(self, embedder: Embedder, aliases: Sequence[str]) -> None:
        self._embedder = embedder
        self._aliases = aliases

    def all(self) -> list[str]:
        """List them, its own first."""
        return [self._embedder.model.config.name, *self._aliases]

    def served(self, asked: str | None) -> str:
        """Return the model's own name. Raises UnknownModelError where `asked` is neither none nor any of its names."""
        own = self._embedder.model.config.name
        if asked in (None, own, DEFAULT) or asked in self._aliases:
            return own
        raise UnknownModelError(
            f"the model {printable(asked)[:_SHOWN_CHARS]!r} does not exist here; {own!r} is served, as it is where "
            "no model is named"
        )

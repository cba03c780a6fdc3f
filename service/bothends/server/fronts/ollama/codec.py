"""What native code is told, so that it reads requests and writes responses of Ollama's API as this front does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....settings import HttpSettings
from ...grpc.plain_calls import ServedModel, named_in_json
from ...responder import DEFAULT

if TYPE_CHECKING:
    from bothends_native.transport import Codec


def embed_codec(settings: HttpSettings, models: Sequence[ServedModel]) -> "Codec":
    """Make the codec of POST /api/embed, for requests to a model by any of its names."""
    from bothends_native.transport import Codec  # not in every build

    return Codec.ollama_embed(models=named_in_json(models, (DEFAULT, *settings.model_aliases)))


def embeddings_codec(settings: HttpSettings, models: Sequence[ServedModel]) -> "Codec":
    """Make the codec of POST /api/embeddings, likewise."""
    from bothends_native.transport import Codec

    return Codec.ollama_embeddings(models=named_in_json(models, (DEFAULT, *settings.model_aliases)))

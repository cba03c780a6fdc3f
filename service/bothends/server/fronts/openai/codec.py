"""What native code is told, so that it reads requests and writes responses of OpenAI's API as this front does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson

from ....settings import HttpSettings
from ...grpc.plain_calls import ServedModel
from ...responder import DEFAULT

if TYPE_CHECKING:
    from bothends_native.transport import Codec


def embeddings_codec(settings: HttpSettings, models: Sequence[ServedModel]) -> "Codec":
    """Make the codec of POST /v1/embeddings, for requests to a model by any of its names."""
    from bothends_native.transport import Codec, NamedModel, Truncation  # not in every build

    named = [
        NamedModel(
            names=["", name, DEFAULT, *settings.model_aliases] if is_default else [name],
            shown=orjson.dumps(name).decode(),
            version=orjson.dumps(model.config.version).decode(),
            dimension=model.config.dimension,
            sizes=model.config.sizes,
        )
        for name, model, is_default in models
    ]
    return Codec.openai(models=named, truncation=Truncation[settings.http_truncation])

"""What native code is told, so that it reads requests and writes responses of OpenAI's API as this front does."""

from typing import TYPE_CHECKING

import orjson

from ....core.loaded import LoadedModel
from ....settings import HttpSettings
from ...http.model_names import DEFAULT

if TYPE_CHECKING:
    from bothends_native.transport import Codec


def embeddings_codec(settings: HttpSettings, model: LoadedModel) -> "Codec":
    """Make the codec of POST /v1/embeddings, for requests to `model` by any of its names."""
    from bothends_native.transport import Codec, Truncation  # not in every build

    config = model.config
    return Codec.openai(
        names=[config.name, DEFAULT, *settings.model_aliases],
        model=orjson.dumps(config.name).decode(),
        version=orjson.dumps(config.version).decode(),
        sizes=config.sizes,
        truncation=Truncation[settings.http_truncation],
    )

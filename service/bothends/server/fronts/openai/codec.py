"""What native code is told, so that it reads requests and writes responses of OpenAI's API as this front does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....settings import HttpSettings
from ...grpc.plain_calls import ServedModel, named_in_json
from ...responder import DEFAULT

if TYPE_CHECKING:
    from bothends_native.transport import Codec


def embeddings_codec(settings: HttpSettings, models: Sequence[ServedModel]) -> "Codec":
    """Make the codec of POST /v1/embeddings, for requests to a model by any of its names."""
    from bothends_native.transport import Codec, Truncation  # not in every build

    described = named_in_json(models, (DEFAULT, *settings.model_aliases))
    return Codec.openai(models=described, truncation=Truncation[settings.http_truncation])

"""Makes the native codec of OpenAI's API, by which C++ serves plain requests with the same bytes as Python."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....settings import HttpSettings
from ...grpc.plain_calls import ServedModel, named_in_json
from ...responder import DEFAULT

if TYPE_CHECKING:
    from bothends_native.transport import Codec


def embeddings_codec(settings: HttpSettings, models: Sequence[ServedModel]) -> "Codec":
    """Make the native codec of POST /v1/embeddings, whose requests may use any name of a model."""
    from bothends_native.transport import Codec, Truncation  # not in every build

    described = named_in_json(models, (DEFAULT, *settings.model_aliases))
    return Codec.openai(models=described, truncation=Truncation[settings.truncation("error")])

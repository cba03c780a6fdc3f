"""What native code is told, so that it reads requests and writes responses as this front does."""

from typing import TYPE_CHECKING

from ....core.loaded import LoadedModel
from ....settings import HttpSettings

if TYPE_CHECKING:
    from bothends_native.transport import Codec


def texts_codec(settings: HttpSettings, model: LoadedModel) -> "Codec":
    """Make the codec of POST /embed, for requests to `model`."""
    from bothends_native.transport import Codec, Truncation  # not in every build

    return Codec.tei(sizes=model.config.sizes, truncation=Truncation[settings.http_truncation])


def messages_codec(_: LoadedModel) -> "Codec":
    """Make the codec of Embed's and EmbedStream's messages, whichever the model is."""
    from bothends_native.transport import Codec

    return Codec.tei_message()

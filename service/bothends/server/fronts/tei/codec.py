"""Makes the native codecs of text-embeddings-inference's API, by which C++ serves plain requests with the same bytes as
Python.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....settings import HttpSettings
from ...grpc.plain_calls import ServedModel, named

if TYPE_CHECKING:
    from bothends_native.transport import Codec


def texts_codec(settings: HttpSettings, models: Sequence[ServedModel]) -> "Codec":
    """Make the native codec of POST /embed, whose requests name no model."""
    from bothends_native.transport import Codec, Truncation  # not in every build

    return Codec.tei(models=named(models), truncation=Truncation[settings.truncation("start")])


def messages_codec(models: Sequence[ServedModel]) -> "Codec":
    """Make the native codec of Embed's and EmbedStream's messages, which name no model."""
    from bothends_native.transport import Codec

    return Codec.tei_message(models=named(models))

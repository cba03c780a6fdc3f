"""What native code is told, so that it serves this contract's plain requests as Python does."""

from typing import TYPE_CHECKING

from ....core.inputs import no_sentences
from ....core.loaded import LoadedModel
from ....wire.status import to_status
from ...grpc.refusals import prepared

if TYPE_CHECKING:
    from bothends_native.transport import Codec


def embed_codec(model: LoadedModel) -> "Codec":
    """Make the codec of Embed."""
    from bothends_native.transport import Codec  # not in every build

    config = model.config
    return Codec.embed(version=config.version, sizes=config.sizes, empty=prepared(to_status(no_sentences())))


def embed_stream_codec(model: LoadedModel) -> "Codec":
    """Make the codec of EmbedStream's messages."""
    from bothends_native.transport import Codec

    return Codec.embed_stream(version=model.config.version, sizes=model.config.sizes)


def constant_codec(response: bytes) -> "Codec":
    """Make the codec of a method that has one response for all callers, but those whose keys have limits."""
    from bothends_native.transport import Codec

    return Codec.constant(response=response)

"""Makes the native codecs of bothends.v1, by which C++ serves plain requests with the same bytes as Python."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....core.inputs import no_sentences
from ....wire.status import to_status
from ...grpc.plain_calls import ServedModel, named
from ...grpc.refusals import prepared

if TYPE_CHECKING:
    from bothends_native.transport import Codec


def embed_codec(models: Sequence[ServedModel]) -> "Codec":
    """Make the native codec of Embed."""
    from bothends_native.transport import Codec  # not in every build

    return Codec.embed(models=named(models), empty=prepared(to_status(no_sentences())))


def embed_stream_codec(models: Sequence[ServedModel]) -> "Codec":
    """Make the native codec of EmbedStream's messages."""
    from bothends_native.transport import Codec

    return Codec.embed_stream(models=named(models))


def constant_codec(response: bytes) -> "Codec":
    """Make the native codec of a method that answers `response` to every caller, except callers whose keys have
    quotas.
    """
    from bothends_native.transport import Codec

    return Codec.constant(response=response)

"""Makes the native codecs of the Open Inference Protocol, by which C++ serves plain requests with the same bytes as
Python.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....settings import HttpSettings
from ...grpc.plain_calls import ServedModel, named_in_json

if TYPE_CHECKING:
    from bothends_native.transport import Codec


def infer_codec(models: Sequence[ServedModel]) -> "Codec":
    """Make the native codec of ModelInfer, whose requests name their model."""
    from bothends_native.transport import Codec, NamedModel  # not in every build

    named = [
        NamedModel(
            names=[name],
            shown=name,
            version=model.config.version,
            dimension=model.config.dimension,
            sizes=model.config.sizes,
        )
        for name, model, _ in models
    ]
    return Codec.infer(models=named)


def infer_json_codec(_: HttpSettings, models: Sequence[ServedModel]) -> "Codec":
    """Make the native codec of POST /v2/models/{model}/infer, whose path names the default one of `models`."""
    from bothends_native.transport import Codec

    return Codec.infer_json(models=named_in_json(models, ()))

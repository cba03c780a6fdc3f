"""What native code is told, so that it serves plain requests of the Open Inference Protocol as this front does."""

from typing import TYPE_CHECKING

from ....core.loaded import LoadedModel

if TYPE_CHECKING:
    from bothends_native.transport import Codec


def infer_codec(model: LoadedModel) -> "Codec":
    """Make the codec of ModelInfer."""
    from bothends_native.transport import Codec  # not in every build

    config = model.config
    return Codec.infer(name=config.name, version=config.version, dimension=config.dimension, sizes=config.sizes)

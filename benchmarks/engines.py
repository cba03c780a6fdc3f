"""The engines that bothends can run on: those that are built here, a server's flags for each, and each loaded in this
process.
"""

from bothends.engines.contract import Engine
from bothends.engines.native import NativeEngine, is_built
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle
from bothends.options import Precision
from results import BF16, ENGINES, FLOAT32, INT8, ONNXRUNTIME

_PRECISIONS: dict[str, Precision] = {FLOAT32: "float32", BF16: "bf16", INT8: "int8"}


def built() -> tuple[str, ...]:
    """Return all of them where bothends_native is installed, else onnxruntime alone."""
    return ENGINES if is_built() else (ONNXRUNTIME,)


def flags(engine: str) -> list[str]:
    """Return the flags by which `bothends serve` takes it and no other."""
    if engine == ONNXRUNTIME:
        return ["--engine", "onnxruntime"]
    return ["--engine", "native", "--precision", _PRECISIONS[engine]]


def load(engine: str, bundle: Bundle) -> Engine:
    """Return the engine with the bundle's weights, as a server would load it."""
    if engine == ONNXRUNTIME:
        return OnnxRuntimeEngine(bundle, device="cpu")
    return NativeEngine(bundle, precision=_PRECISIONS[engine])

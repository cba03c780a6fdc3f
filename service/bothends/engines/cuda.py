"""Settings that onnxruntime needs on a GPU: its options, its copies, the shapes to run first.

Knows nothing of bundles, text or queues. Written from onnxruntime's source, not yet run on a GPU: see docs/gpu.md.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeviceError
from .contract import Engine

if TYPE_CHECKING:
    import onnxruntime

PROVIDER = "CUDAExecutionProvider"
TOLERANCE = 1e-4
"""Largest difference of float32 without TF32 from PyTorch's on a CPU."""

PROVIDER_OPTIONS = {
    # float32 as on a CPU: TF32 has ten bits of mantissa. The LSTM listens too (onnxruntime#20338).
    "use_tf32": "0",
    # Grow by what is asked for, not to the next power of two: after the warm-up nothing larger comes.
    "arena_extend_strategy": "kSameAsRequested",
    # A few times what the widest batch of a large model takes. Past it a batch fails and is run again in halves,
    # where without it a neighbour on the same GPU would fail.
    "gpu_mem_limit": str(4 << 30),
}


def is_installed() -> bool:
    """Return whether the installed onnxruntime is one for CUDA; it isn't loaded for this."""
    found = find_spec("onnxruntime")
    folders = (found and found.submodule_search_locations) or []
    return any(any(Path(folder, "capi").glob("*onnxruntime_providers_cuda*")) for folder in folders)


def configure(options: "onnxruntime.SessionOptions") -> None:
    """Set the session options that hold on a GPU only."""
    # A GPU that can't run a node must fail at start, not serve it from the CPU.
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    # A pattern is kept for each shape of input for ever, and nearly every batch has another one.
    options.enable_mem_pattern = False


def run_bound(
    session: "onnxruntime.InferenceSession",
    feeds: Mapping[str, NDArray[Any]],
    outputs: Mapping[str, Sequence[int]],
) -> list[NDArray[np.float32]]:
    """Run on `feeds` and return the `outputs`, float32 of the shapes given, each copied once: to where it is returned.

    Each call has a binding of its own, so threads may run at once.
    """
    binding = session.io_binding()
    for name, array in feeds.items():
        # Copied now to where the kernel that reads it wants it: ids to the GPU; `lengths` stay, cuDNN reads them here.
        binding.bind_cpu_input(name, array)
    found = [np.empty(shape, dtype=np.float32) for shape in outputs.values()]
    for name, rows in zip(outputs, found, strict=True):
        binding.bind_output(name, "cpu", 0, np.float32, rows.shape, rows.ctypes.data)
    session.run_with_iobinding(binding)
    return found


def warm_up(engine: Engine, *, max_rows: int, max_tokens: int, longest: int) -> None:
    """Run what the largest batches will be, so that no request pays for kernels to load or memory to be had.

    `longest` is the most tokens of one sentence. Raises DeviceError where one doesn't run.
    """
    for rows, length in shapes_to_warm(max_rows=max_rows, max_tokens=max_tokens, longest=longest):
        try:
            engine.run([[0] * length] * rows)
        except Exception as error:  # whatever an engine raises
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise DeviceError(
                f"{rows} sentences of {length} tokens don't run on this device: {reason}; "
                "lower --max-batch-tokens or --max-batch-rows"
            ) from error


def shapes_to_warm(*, max_rows: int, max_tokens: int, longest: int) -> Iterator[tuple[int, int]]:
    """Rows and tokens a row, the most rows first, then half as many and so on, each as long as the budget lets it.

    The first has at least the rows and the tokens of any batch within budget, so the memory that it takes is enough for
    all that come later: an arena filled from small to large would end as the sum of them all.
    """
    rows = min(max_rows, max_tokens)
    while rows > 1:
        yield rows, min(longest, -(-max_tokens // rows))
        rows //= 2
    yield 1, longest  # alone, a sentence may be over the budget


def memory_used() -> int:
    """Bytes in use, by any process, on the GPU that this one sees first. Raises DeviceError where NVML can't tell."""
    import pynvml  # bothends[gpu] alone brings it

    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    try:
        pynvml.nvmlInit()
        by_number = visible.isdigit()
        find = pynvml.nvmlDeviceGetHandleByIndex if by_number else pynvml.nvmlDeviceGetHandleByUUID
        return int(pynvml.nvmlDeviceGetMemoryInfo(find(int(visible) if by_number else visible)).used)
    except pynvml.NVMLError as error:
        raise DeviceError(f"the GPU's memory can't be read: {error}") from error

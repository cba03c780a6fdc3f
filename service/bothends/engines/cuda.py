"""What onnxruntime needs for a GPU: provider options, copies to and from the device, and warm-up runs.

It is written from onnxruntime's source and tested on a stand-in, not yet on a card: see docs/operate/gpu.md.
"""

import io
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DeviceError
from . import cuda_driver
from .contract import Engine, TokenIds

if TYPE_CHECKING:
    import onnxruntime

_log = logging.getLogger(__name__)
PROVIDER = "CUDAExecutionProvider"
TOLERANCE = 1e-4
"""Largest difference of float32 without TF32 from PyTorch's on a CPU."""

PROVIDER_OPTIONS = {
    # float32 as on a CPU: TF32 has ten bits of mantissa. The LSTM listens too (onnxruntime#20338).
    "use_tf32": "0",
    # Grow by what is asked for, not to the next power of two: after the warm-up nothing larger comes.
    "arena_extend_strategy": "kSameAsRequested",
}
_SHARE = 0.45
"""Share of what is free on a GPU that one model may take: while another takes over from it, both are there."""


def is_installed() -> bool:
    """Return True if the installed onnxruntime is a build for CUDA; it isn't loaded for this."""
    found = find_spec("onnxruntime")
    folders = (found and found.submodule_search_locations) or []
    return any(any(Path(folder, "capi").glob("*onnxruntime_providers_cuda*")) for folder in folders)


def provider_options(max_gpu_bytes: int | None = None) -> dict[str, str]:
    """Return the provider's options, which limit a model to `max_gpu_bytes`, or to a share of the free memory.

    A batch that exceeds the limit fails and is run again in halves; without a limit, another process on the same GPU
    would fail. Raises DeviceError if the GPU can't report its free memory.
    """
    import onnxruntime

    most = max_gpu_bytes or int(_SHARE * cuda_driver.free_bytes(onnxruntime.cuda_version))
    return PROVIDER_OPTIONS | {"gpu_mem_limit": str(most)}


def prepare() -> None:
    """Load CUDA's libraries. Raises DeviceError that says which library, driver or device is missing."""
    import onnxruntime

    cuda_driver.count_as_nvml_does()
    cuda_driver.check_driver(onnxruntime.cuda_version)
    said = io.StringIO()
    with redirect_stdout(said):  # it prints what it doesn't find, which may be found elsewhere
        onnxruntime.preload_dlls()  # nothing else finds what `onnxruntime-gpu[cuda,cudnn]` installed
    for line in said.getvalue().splitlines():
        _log.debug("onnxruntime: %s", line)
    cuda_driver.check_provider(Path(onnxruntime.__file__).parent / "capi")


def configure(options: "onnxruntime.SessionOptions") -> None:
    """Set the session options that apply to a GPU only."""
    # A GPU that can't run a node must fail at start, not serve it from the CPU.
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    # A pattern is kept for each shape of input for ever, and nearly every batch has another one.
    options.enable_mem_pattern = False


def run_bound(
    session: "onnxruntime.InferenceSession",
    feeds: Mapping[str, NDArray[Any]],
    outputs: Mapping[str, Sequence[int]],
) -> list[NDArray[np.float32]]:
    """Run on `feeds` and return the `outputs`, float32 of the given shapes. Each is copied once, into the returned
    array.

    Each call has its own binding, so threads may run at the same time.
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


def warm_up(engine: Engine, *, max_rows: int, max_tokens: int, longest: int, at_once: int = 1) -> None:
    """Run the largest batches that will occur, so that no request waits for kernels to load or memory to be allocated.

    `longest` is the largest number of tokens of a sentence; `at_once` batches run in parallel. Raises DeviceError if
    one fails.
    """
    gate = threading.Barrier(at_once)

    def run(batch: Sequence[TokenIds]) -> None:
        gate.wait()  # together, they take the memory that they will take together
        engine.run(batch)

    with ThreadPoolExecutor(at_once, "bothends-warm-up") as pool:
        for rows, length in shapes_to_warm(max_rows=max_rows, max_tokens=max_tokens, longest=longest):
            try:
                list(pool.map(run, [[[0] * length] * rows] * at_once))
            except Exception as error:  # whatever an engine raises
                raise DeviceError(
                    f"{at_once} × {rows} sentences of {length} tokens don't run on this device: "
                    f"{cuda_driver.failure(error)}; "
                    "lower --max-batch-tokens, or raise --max-gpu-bytes"
                ) from error


def shapes_to_warm(*, max_rows: int, max_tokens: int, longest: int) -> Iterator[tuple[int, int]]:
    """Yield (rows, tokens per row): the largest number of rows first, then half as many and so on, each as long as
    allowed.

    The first has at least the rows and the tokens of any batch within budget, so that its memory is enough for all that
    come later: an arena that is filled from small to large would end as the sum of them all.
    """
    rows = min(max_rows, max_tokens)
    while rows > 1:
        yield rows, min(longest, -(-max_tokens // rows))
        rows //= 2
    yield 1, longest  # alone, a sentence may be over the budget

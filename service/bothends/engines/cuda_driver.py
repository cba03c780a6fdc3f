"""Checks the machine's NVIDIA driver and CUDA libraries, and says in one line what is wrong with them.

onnxruntime reports it late, in a thousand characters, or not at all. This module uses ctypes, since a missing or old
driver can't be queried in another way.
"""

import ctypes
import math
import os
import re
import sys
from pathlib import Path

from ..errors import DeviceError
from ..text import printable

_DRIVERS = {12: "525", 13: "580"}
"""Oldest driver that runs what was built for each major version of CUDA
(https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html)."""
_CUDNN = "libcudnn.so.9"
"""Library that the provider opens by itself, later."""
_FAILURES = re.compile(
    r"(?:CUDA|CUDNN|CUBLAS|CURAND|CUFFT) failure -?\d+: [^;\n]+|"
    r"Available memory of \d+ is smaller than requested bytes of \d+|"
    r"Failed to allocate memory for requested buffer of size \d+"
)
"""Pattern of onnxruntime's words for a GPU failure, without the locations in its source around them."""


def failure(error: Exception) -> str:
    """Return the part of onnxruntime's `error` that says what failed, in one line, without anything that a caller
    sent.
    """
    found = _FAILURES.search(str(error))
    return printable(found[0].strip() if found else str(error).partition("\n")[0] or type(error).__name__)


def count_as_nvml_does() -> None:
    """Make CUDA number GPUs in bus order, as NVML does; by default it starts with the fastest."""
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


def check_driver(built_for: str) -> None:
    """Raise DeviceError unless there are a driver for CUDA `built_for` (for example "13.0") and a device."""
    major = int(built_for.partition(".")[0])
    needed = f"driver {_DRIVERS.get(major, 'for it')} or newer is needed"
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise DeviceError(
            f"device cuda: no NVIDIA driver can be reached ({printable(error)}); {needed}, and in a container "
            "the NVIDIA Container Toolkit"
        ) from error
    version = ctypes.c_int()
    if driver.cuDriverGetVersion(ctypes.byref(version)) == 0 and version.value // 1000 < major:
        known = f"{version.value // 1000}.{version.value % 1000 // 10}"
        raise DeviceError(
            f"device cuda: the driver knows CUDA up to {known}, and onnxruntime is built for {built_for}: {needed}"
            + (", or bothends[gpu-cuda12] in place of bothends[gpu]" if known.startswith("12.") else "")
        )
    if code := driver.cuInit(0):
        raise DeviceError(f"device cuda: {_driver_error(driver, code)}")


def check_provider(folder: Path) -> None:
    """Load onnxruntime's CUDA provider from its `folder`. Raises DeviceError that names a missing library."""
    if sys.platform != "linux":
        return
    shared, provider = (str(folder / f"libonnxruntime_providers_{name}.so") for name in ("shared", "cuda"))
    for library, mode in ((_CUDNN, ctypes.RTLD_LOCAL), (shared, ctypes.RTLD_GLOBAL), (provider, ctypes.RTLD_LOCAL)):
        try:
            ctypes.CDLL(library, mode=mode)
        except OSError as error:
            raise DeviceError(f"device cuda: {printable(error)}; pip install 'bothends[gpu]' brings it") from error


def free_bytes(built_for: str) -> int:
    """Return the free bytes on the GPU that this process uses. Raises DeviceError if CUDA can't tell."""
    try:
        runtime = ctypes.CDLL(f"libcudart.so.{built_for.partition('.')[0]}")
    except OSError as error:
        raise DeviceError(f"device cuda: {printable(error)}") from error
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    if code := runtime.cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total)):
        runtime.cudaGetErrorString.restype = ctypes.c_char_p
        raise DeviceError(f"device cuda: CUDA failure {code}: {runtime.cudaGetErrorString(code).decode()}")
    return free.value


def memory_used() -> float:
    """Return the bytes in use, by all processes, on the first GPU that this process sees; NaN if NVML can't tell."""
    try:
        import pynvml  # bothends[gpu] alone brings it
    except ImportError:
        return math.nan
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    try:
        pynvml.nvmlInit()
        by_number = visible.isdigit()
        find = pynvml.nvmlDeviceGetHandleByIndex if by_number else pynvml.nvmlDeviceGetHandleByUUID
        return int(pynvml.nvmlDeviceGetMemoryInfo(find(int(visible) if by_number else visible)).used)
    except pynvml.NVMLError:  # a driver that was replaced under it, or is lost: the other metrics are needed now
        return math.nan


def _driver_error(driver: ctypes.CDLL, code: int) -> str:
    text = ctypes.c_char_p()
    told = driver.cuGetErrorString(code, ctypes.byref(text)) == 0 and text.value
    return f"CUDA failure {code}: {printable(told.decode() if told else 'unknown error')}"

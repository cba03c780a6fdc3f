"""Chooses the device that a student learns on, how exactly it multiplies, and brings arrays to it without a wait."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def choose(precision: Literal["float32", "bfloat16"]) -> torch.device:
    """A GPU where torch has one, else the CPU.

    On a GPU `bfloat16` means that float32 numbers are multiplied as TF32, which has its range and three more bits: the
    LSTM by cuDNN too, which autocast would have compute in float16.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high" if precision == "bfloat16" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "bfloat16"
    return torch.device("cuda")


def send(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """The array as a tensor on `device`; the work that the device has before it isn't waited for."""
    tensor = torch.from_numpy(array)
    # From memory that the system may move, a copy ends all that goes on first.
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor

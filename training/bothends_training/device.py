"""Chooses the device on which a student learns and the precision of its products, and sends arrays without waiting."""

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def choose(precision: Literal["float32", "bfloat16"]) -> torch.device:
    """Return a GPU if torch has one, and the CPU otherwise.

    On a GPU, `bfloat16` means that float32 numbers are multiplied as TF32, which has the same range and three more
    bits. This includes cuDNN's LSTM, which autocast would compute in float16.
    """
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high" if precision == "bfloat16" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "bfloat16"
    return torch.device("cuda")


@lru_cache
def takes_bfloat16() -> bool:
    """Return whether PyTorch computes an LSTM in bfloat16 on this CPU, which needs AVX-512 or its like."""
    lstm = nn.LSTM(8, 8)
    try:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            lstm(torch.zeros(2, 2, 8))
    except RuntimeError:  # oneDNN: "could not create a primitive descriptor"
        return False
    return True


def send(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """Return the array as a tensor on `device`, without waiting for the device's earlier work."""
    tensor = torch.from_numpy(array)
    # From memory that the system may move, a copy ends all that goes on first.
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor

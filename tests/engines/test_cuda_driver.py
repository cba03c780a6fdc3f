"""A GPU that can't be used: one line says what is missing. On the stand-in for CUDA, but for what needs none."""

import math
import sys
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
from benchmarks.gpu.prune import entries

from bothends.engines.cuda_driver import failure, memory_used
from tests.support.ran import ran
from tests.support.standin import FOLDER, STANDIN, environment, run
from tests.support.until import TIMEOUT_S

LOAD = """
from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.errors import DeviceError
from bothends.model.bundle import Bundle, default_path

try:
    OnnxRuntimeEngine(Bundle.open(default_path()), device="cuda")
except DeviceError as error:
    print(error)
"""
TOO_OLD = (
    "[ONNXRuntimeError] : 1 : FAIL : /onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:129 "
    "std::conditional_t<THRW, void, onnxruntime::common::Status> onnxruntime::CudaCall(ERRTYPE, const char*, "
    "SUCCTYPE, const char*, const char*, int) [with ERRTYPE = cudaError; bool THRW = true; SUCCTYPE = cudaError] "
    "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; hostname=a ; file=b"
)


@pytest.fixture
def without(tmp_path: Path) -> Path:
    """A copy of the stand-in's libraries, for a test to take some away."""
    for library in (FOLDER / "lib").iterdir():
        (tmp_path / library.name).symlink_to(library)
    return tmp_path


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError(TOO_OLD), "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version"),
        (
            RuntimeError("BFCArena::AllocateRawInternal Available memory of 5 is smaller than requested bytes of 9\n"),
            "Available memory of 5 is smaller than requested bytes of 9",
        ),
        (RuntimeError("another thing\nand a stack"), "another thing"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_what_failed_is_picked_out_of_what_is_said(error: Exception, reason: str) -> None:
    """The failure stands at the end of a thousand characters about places in the source."""
    assert failure(error) == reason


class TestOnTheStandIn:
    """Refusals of onnxruntime's own CUDA provider, and ours before them."""

    pytestmark = STANDIN

    @pytest.mark.parametrize(
        ("switches", "line"),
        [
            (
                {"FAKE_DRIVER": "12040"},
                "device cuda: the driver knows CUDA up to 12.4, and onnxruntime is built for 13.0: driver 580 or newer "
                "is needed, or bothends[gpu-cuda12] in place of bothends[gpu]\n",
            ),
            ({"FAKE_INIT": "100"}, "device cuda: CUDA failure 100: no CUDA-capable device is detected\n"),
            (
                {"FAKE_SETDEVICE": "35"},
                "device cuda can't be used: CUDA failure 35: CUDA driver version is insufficient for CUDA runtime "
                "version\n",
            ),
            ({}, ""),
        ],
    )
    def test_a_driver_that_will_not_do_is_one_line(self, switches: dict[str, Any], line: str) -> None:
        """The reason, the version that is there, and the one that is needed, and nothing else on standard output."""
        assert run(LOAD, **switches) == line

    @pytest.mark.parametrize(
        ("library", "line"),
        [
            ("libcuda.so.1", "device cuda: no NVIDIA driver can be reached (libcuda.so.1: cannot open"),
            ("libcublas.so.13", "device cuda: libcublas.so.13: cannot open shared object file"),
            ("libcudnn.so.9", "device cuda: libcudnn.so.9: cannot open shared object file"),
        ],
    )
    def test_a_library_that_is_missing_is_named(self, without: Path, library: str, line: str) -> None:
        """onnxruntime would say that nodes were assigned to the CPU, and print that a library wasn't found."""
        (without / library).unlink()
        said = run(LOAD, LD_LIBRARY_PATH=without)
        assert said.startswith(line)
        assert said.count("\n") == 1

    def test_a_lost_device_is_not_taken_for_a_wrong_bundle(self, tmp_path: Path) -> None:
        (tmp_path / "lost").touch()
        assert "CUDA failure 719: unspecified launch failure\n" in run(LOAD, FAKE_LOST=tmp_path / "lost")

    def test_auto_is_a_gpu_where_onnxruntime_is_for_one(self, tmp_path: Path) -> None:
        """A server told `--device auto` doesn't start where its GPU can't be used: the CPU isn't taken in its place."""
        command = [sys.executable, "-m", "bothends", "serve", "--device", "auto", "--port", "0", "--http-port", "0"]
        answer = ran(*command, env=environment(FAKE_INIT="100"), cwd=tmp_path, timeout=TIMEOUT_S)
        assert answer.returncode == 1
        assert answer.stderr.endswith("Error: device cuda: CUDA failure 100: no CUDA-capable device is detected\n")

    def test_kernels_are_for_the_gpus_that_are_named(self) -> None:
        """docs/operate/gpu.md says which GPUs do: those of these capabilities, and none newer, which would want PTX."""
        provider = FOLDER / "site" / "onnxruntime" / "capi" / "libonnxruntime_providers_cuda.so"
        found = {(is_own, architecture) for is_own, architecture, _ in entries(bytearray(provider.read_bytes()))}
        assert found == {(True, architecture) for architecture in (75, 80, 86, 89, 90, 120)}

    def test_gpus_are_counted_as_nvml_counts_them(self) -> None:
        """The memory shown would else be another GPU's; an order that somebody has chosen stays."""
        program = f"import os{LOAD}\nprint(os.environ['CUDA_DEVICE_ORDER'])"
        assert run(program) == "PCI_BUS_ID\n"
        assert run(program, CUDA_DEVICE_ORDER="FASTEST_FIRST") == "FASTEST_FIRST\n"


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="there is a GPU")
def test_memory_of_a_gpu_that_is_not_there_is_no_number() -> None:
    assert math.isnan(memory_used())

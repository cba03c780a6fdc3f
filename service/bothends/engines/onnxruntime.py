"""Engine that computes with onnxruntime: loads the model, places it on a device, pads batches and runs them.

What a GPU needs besides is in cuda.py.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..errors import BundleError, DeviceError, EngineError
from ..model.bundle import MODEL, Bundle, BundleConfig
from ..text import printable
from . import cuda
from .arrays import flat, pad
from .contract import TokenIds
from .cuda_driver import failure
from .onnx_sound import sound_graph

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": cuda.PROVIDER}

_Signature = dict[str, tuple[str, list[int | None]]]
"""Type and axes of each input and output; None where an axis is free."""


class OnnxRuntimeEngine:
    """Bundle's model on one device. A run uses the thread that calls it; any number of threads may call."""

    pads = True

    def __init__(self, bundle: Bundle, *, device: str = "cpu", max_gpu_bytes: int | None = None) -> None:
        """Place `bundle` on `device`, "cpu" or "cuda", where it takes at most `max_gpu_bytes`.

        Raises DeviceError if the device isn't available, and BundleError if the model isn't what config.json says.
        """
        if device not in _PROVIDERS:
            raise DeviceError(f"unknown device {device!r}; choose {' or '.join(_PROVIDERS)}")
        self.device = device
        self._config = bundle.config
        self._session = _load(bundle, device, max_gpu_bytes)
        self.provider: str = self._session.get_providers()[0]
        self.tolerance = max(bundle.config.tolerance, cuda.TOLERANCE if device == "cuda" else 0.0)
        _check_signature(self._session, bundle.config, bundle.path / MODEL)
        self._check_table(bundle)

    @property
    def dimension(self) -> int:
        """Size of an embedding, in numbers."""
        return self._config.dimension

    def run(self, sentences: Sequence[TokenIds]) -> NDArray[np.float32]:
        """Return embeddings float32 [sentences, dimension]. Raises ValueError for a sentence without tokens.

        On a GPU it raises EngineError, which says what failed there.
        """
        return self.run_flat(*flat(sentences))

    def run_flat(self, token_ids: NDArray[np.int32], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the embeddings of sentences given as arrays, as `run` computes them."""
        if len(offsets) == 1:  # onnxruntime aborts the whole process on a batch of zero rows
            return np.empty((0, self.dimension), dtype=np.float32)
        (rows,) = self._outputs(["embedding"], *pad(token_ids, offsets))
        return rows

    def warm_up(self) -> None:
        """Run one token on a GPU, where a thread makes its own handles at its first run."""
        if self.device == "cuda":
            self.run([[0]])

    def share(self) -> None:
        """Return None: native code calls onnxruntime through Python, by `run_flat`."""

    def stop(self) -> None:
        """Do nothing: onnxruntime can stop a run only between two nodes, and nearly all of a run is one node."""

    def states(
        self, token_ids: NDArray[np.int64], lengths: NDArray[np.int32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return `embedding` [batch, dimension] and `h_n` [layers·directions, batch, state] of a padded batch."""
        embedding, h_n = self._outputs(["embedding", "h_n"], token_ids, lengths)
        return embedding, h_n

    def _outputs(
        self, names: list[str], token_ids: NDArray[np.int64], lengths: NDArray[np.int32]
    ) -> list[NDArray[np.float32]]:
        """Compute the outputs asked for, and copy no other: of h_n, each layer's states are joined all the same."""
        feeds: dict[str, NDArray[Any]] = {"token_ids": token_ids, "lengths": lengths}
        if self.device == "cpu":
            return [np.asarray(rows) for rows in self._session.run(names, feeds)]
        config, rows = self._config, len(lengths)
        shapes = {
            "embedding": (rows, config.dimension),
            "h_n": (config.final_state_count, rows, config.state_size),
        }
        try:
            return cuda.run_bound(self._session, feeds, {name: shapes[name] for name in names})
        except Exception as error:  # onnxruntime's exceptions share no base class but this one
            raise EngineError(failure(error)) from error

    def _check_table(self, bundle: Bundle) -> None:
        """The last id of the vocabulary has a row: an id past the table would fail every sentence of its batch."""
        try:
            self.run([[bundle.config.vocabulary_size - 1]])
        except EngineError as error:  # it says what failed on the GPU, where an id past the table would fail nothing
            raise DeviceError(f"device cuda can't be used: {error}") from error
        except Exception as error:  # onnxruntime's exceptions share no base class but this one
            raise BundleError(
                f"{bundle.path / MODEL}: its table has fewer rows than config.json's vocabulary_size, "
                f"{bundle.config.vocabulary_size}"
            ) from error


def options_for(device: str) -> onnxruntime.SessionOptions:
    """Return the session options for `device`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # two runs of one thread beat one run of two that spin
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only; they are raised as well
    if device == "cuda":
        cuda.configure(options)
    return options


def provider_for(device: str, max_gpu_bytes: int | None = None) -> tuple[str, dict[str, str]]:
    """Return onnxruntime's provider for `device`, and its options. Raises DeviceError for a GPU that is lost."""
    return _PROVIDERS[device], cuda.provider_options(max_gpu_bytes) if device == "cuda" else {}


def _load(bundle: Bundle, device: str, max_gpu_bytes: int | None) -> onnxruntime.InferenceSession:
    provider = _PROVIDERS[device]
    if device == "cuda" and not bundle.config.reset_after:
        raise DeviceError(
            f"device cuda: {bundle.config.name} is a GRU that resets before its recurrent weights, which cuDNN hasn't "
            "got; choose --device cpu"
        )
    if provider not in onnxruntime.get_available_providers():
        raise DeviceError(
            f"device {device}: the installed onnxruntime has no {provider}; "
            "install bothends[gpu] instead of bothends[cpu], or choose --device cpu"
        )
    sound_graph(bundle)
    onnxruntime.disable_telemetry_events()  # what is served where stays here
    if device == "cuda":
        cuda.prepare()
    provider_and_options = provider_for(device, max_gpu_bytes)
    try:
        # onnxruntime's Python would else try again on a CPU by itself, now and, on a GPU's error, in any later run.
        session = onnxruntime.InferenceSession(
            bundle.model, options_for(device), providers=[provider_and_options], enable_fallback=0
        )
        session.disable_fallback()  # older versions don't know the argument
    except Exception as error:  # onnxruntime's exceptions share no base class but this one
        if device == "cuda":
            raise DeviceError(f"device cuda can't be used: {failure(error)}") from error
        reason = printable(str(error).partition("\n")[0] or type(error).__name__)  # it may hold names from the file
        raise BundleError(f"{bundle.path / MODEL} can't be loaded: {reason}") from error
    if session.get_providers()[0] != provider:
        raise DeviceError(f"device {device} was asked for, but onnxruntime fell back to {session.get_providers()[0]}")
    return session


def _check_signature(session: onnxruntime.InferenceSession, config: BundleConfig, file: Path) -> None:
    """Names, types and fixed axes are those that config.json promises."""
    expected: _Signature = {
        "token_ids": ("tensor(int64)", [None, None]),
        "lengths": ("tensor(int32)", [None]),
        "embedding": ("tensor(float)", [None, config.dimension]),
        "h_n": ("tensor(float)", [config.final_state_count, None, config.state_size]),
    }
    found: _Signature = {
        value.name: (value.type, [size if isinstance(size, int) else None for size in value.shape])
        for value in (*session.get_inputs(), *session.get_outputs())
    }
    if found != expected:
        raise BundleError(
            f"{file} is no bothends model: it has {_listed(found)}; expected {_listed(expected)}, "
            "as `bothends export` writes it"
        )


def _listed(signature: _Signature) -> str:
    return ", ".join(
        f"{name} {kind} [{', '.join('*' if size is None else str(size) for size in shape)}]"
        for name, (kind, shape) in signature.items()
    )

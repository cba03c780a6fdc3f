"""Settings of the model: which one, by which engine, in what batches, and how it is tested and replaced.

An embedder in another program takes these and needs no server's.
"""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from ..errors import SettingsError
from ..options import Precision
from .section import INT32, Section, flag

Level = Literal["auto", "avx512", "avx512f", "avx2", "portable"]
"""Instruction set that the native engine has code for; "auto" is the best that the processor has."""

_OF_NATIVE = {"precision": "float32", "native_level": "auto"}
"""Settings of the native engine, each with the value that leaves onnxruntime a choice."""


def _usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class EngineSettings(Section):
    """Device, engine and precision that a model is placed on."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="Where the model runs: auto, cpu or cuda. Auto is cuda where onnxruntime has it.",
    )
    engine: Literal["auto", "onnxruntime", "native"] = Field(
        "auto",
        description="What runs it on a CPU: onnxruntime or native. Auto is native where it is installed, knows the "
        "encoder and passes the self-test.",
    )
    precision: Precision = Field(
        "float32",
        description="Of the native engine: bf16 and int8 are faster and less exact; the model's card has figures.",
    )
    native_level: Level = Field(
        "auto", description="Instructions of the native engine; auto is the best that the processor has."
    )

    max_gpu_bytes: int | None = Field(
        None,
        ge=1,
        description="Most bytes of a GPU's memory that a model takes; the default is 45 % of what is free as it loads, "
        "since a newer one loads beside it.",
    )

    @model_validator(mode="after")
    def _engine_fits_device(self) -> Self:
        """Raises SettingsError where one of these needs another."""
        for name, default in _OF_NATIVE.items():
            if self.engine == "onnxruntime" and getattr(self, name) != default:
                raise SettingsError(f"{flag(name)} {getattr(self, name)} needs --engine native")
        if self.needs_native and self.device == "cuda":
            raise SettingsError("--device cuda runs float32 on onnxruntime: the native engine is for CPUs")
        return self

    @property
    def needs_native(self) -> bool:
        """True if no other engine will do."""
        return self.engine == "native" or any(getattr(self, name) != default for name, default in _OF_NATIVE.items())


class BatchingSettings(Section):
    """Sizes of the queue and of its batches, and how many of them run at once."""

    workers: int = Field(
        default_factory=_usable_cpus,
        ge=1,
        le=1024,
        description="Model runs at once on a CPU, one thread each; the default is one a core. A GPU has two.",
    )
    max_batch_rows: int | None = Field(
        None,
        ge=1,
        le=INT32,
        description="Most sentences in one model run; the default is 16 on a CPU (32 for a wide encoder), "
        "4096 on a GPU (1024 for a wide one). Small requests that the native transport serves alone run 16 at once.",
    )
    max_batch_tokens: int | None = Field(
        None,
        ge=1,
        le=INT32,
        description="Most tokens in one model run, padding included; the default is 1024 on a CPU and 65536 on a GPU, "
        "and 16384 for a wide encoder.",
    )
    max_queue_tokens: int = Field(
        262144, ge=1, le=INT32, description="Most tokens that may wait; beyond it requests are refused."
    )
    engine_timeout_s: float = Field(
        30.0, gt=0, le=3600, description="Seconds of running that one model run may take before it is given up."
    )


class RequestSettings(Section):
    """Limits of one request's sentences, whatever protocol it comes by."""

    max_sentences: int = Field(1024, ge=1, le=1_000_000, description="Most sentences in one request.")
    max_sentence_chars: int = Field(65536, ge=1, le=INT32, description="Most characters in one sentence.")
    max_request_tokens: int = Field(
        262144, ge=1, le=INT32, description="Most tokens in one request, counted once its sentences are cut."
    )


class EmbedderSettings(RequestSettings, BatchingSettings, EngineSettings):
    """All that turns a bundle into embeddings in one process: the engine, the batching, a request's limits."""


class ReloadSettings(Section):
    """Interval at which files that may change are looked at."""

    reload_s: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="Seconds between looks for a newer model, changed certificates and keys; 0 looks on SIGHUP only.",
    )


class SupervisorSettings(Section):
    """Folder of the served model, what may take over from it, and how often it is tested."""

    bundle: Path | None = Field(
        None, description="Folder of the model to serve, or of its versions; the default is the packaged English one."
    )
    reload_other_model: bool = Field(
        False,
        description="Let a model of another name or dimension take over, too; without it, such a one is refused.",
    )
    selftest_s: float = Field(
        60.0,
        ge=0,
        le=86400,
        description="Seconds between self-tests of the live model, at least 20 times as long as one took at the start; "
        "0 tests it at start only.",
    )


class ModelSettings(EmbedderSettings, ReloadSettings, SupervisorSettings):
    """An embedder, and the supervisor that loads, tests and replaces its model."""

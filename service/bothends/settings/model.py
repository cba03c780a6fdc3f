"""Settings of the model: which one, on which engine, in what batches, and how it is tested and replaced.

A program that embeds by itself uses these without a server's settings.
"""

import os
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, cast

from pydantic import ValidationError, field_validator, model_validator

from ..errors import SettingsError
from ..options import Precision
from ..validation import first_problem
from .bundles import NamedBundle, is_named, parse_bundles
from .packaged import chosen
from .section import INT32, Section, fixed, option

Level = Literal["auto", "avx512", "avx512f", "avx2", "neon_bf16", "neon_dot", "neon", "portable"]
"""Instruction set that the native engine has code for; "auto" is the best that the processor has."""

_QUEUE_TOKENS = 1 << 18
_TOKENS_A_SENTENCE = 256


def usable_cpus() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class EngineSettings(Section):
    """Settings of the device, engine and precision of a model."""

    device: Literal["auto", "cpu", "cuda"] = option(
        "Start here",
        "Where the model runs. Auto is cuda where onnxruntime has it; the device chosen is used, or nothing starts.",
        "auto",
    )
    engine: Literal[
        "auto",
        "onnxruntime",
        "native",
        "native/avx512",
        "native/avx512f",
        "native/avx2",
        "native/neon_bf16",
        "native/neon_dot",
        "native/neon",
        "native/portable",
    ] = option(
        "What computes",
        "What runs the model on a CPU. Auto is native where it is installed, knows the encoder and passes the "
        "self-test. LEVEL pins the native engine's instructions, so that machines that differ compute the same bits: "
        "avx512, avx512f or avx2, on Arm neon_bf16, neon_dot or neon, on both portable; by default the best that the "
        "processor has.",
        "auto",
        is_rare=True,
    )
    precision: Precision = option(
        "What computes",
        "Numbers that the native engine computes with: bf16 and int8 are faster and less exact; the model's card has "
        "figures.",
        "float32",
    )
    max_gpu_bytes: int | None = option(
        "What computes",
        "Most bytes of a GPU's memory that a model takes; the default is 45 % of what is free as it loads, since a "
        "newer one loads beside it.",
        is_rare=True,
        ge=1,
    )

    @model_validator(mode="after")
    def _engine_fits_device(self) -> Self:
        """Raises SettingsError where one of these needs another."""
        if self.engine == "onnxruntime" and self.precision != "float32":
            raise SettingsError(f"--precision {self.precision} needs --engine native")
        if self.needs_native and self.device == "cuda":
            raise SettingsError("--device cuda runs float32 on onnxruntime: the native engine is for CPUs")
        return self

    @property
    def needs_native(self) -> bool:
        """True if only the native engine will do."""
        return self.engine.startswith("native") or self.precision != "float32"

    @property
    def native_level(self) -> Level:
        """Instruction set of the native engine that `engine` requires."""
        return cast("Level", self.engine.partition("/")[2] or "auto")


class BatchingSettings(Section):
    """Sizes of the queue and of its batches, and how many batches run at once."""

    workers: int = option(
        "What computes",
        "Model runs at once on a CPU, and threads that compute them; the default is one a core. A GPU has two.",
        default_factory=usable_cpus,
        ge=1,
        le=1024,
    )
    max_batch_tokens: int | None = option(
        "What computes",
        "Most tokens in one model run, padding included; the default is 1024 on a CPU and 65536 on a GPU, and 16384 "
        "for a wide encoder.",
        is_rare=True,
        ge=1,
        le=INT32,
    )
    max_batch_rows: int | None = fixed(
        "Sentences in one model run: what was measured to be fastest for the device and the encoder's width."
    )
    max_queue_tokens: int = fixed(
        "Tokens that may wait: seconds of work. With more, callers would only wait longer before they are refused.",
        _QUEUE_TOKENS,
    )
    engine_timeout_s: float = fixed(
        "Seconds that one model run may take, but for those in which it waited for a processor or the process was "
        "stopped: far more than the largest batch needs. Then it is given up, its callers are told, and the model is "
        "loaded anew.",
        30.0,
    )


class RequestSettings(Section):
    """Limits on one request's sentences, in any protocol."""

    max_sentences: int = option("Requests", "Most sentences in one request.", 1024, is_rare=True, ge=1, le=1_000_000)
    max_sentence_chars: int = fixed(
        "Characters in one sentence: far more than any encoder reads. One of more is refused by name.", 65536
    )
    max_request_tokens: int = fixed(
        "Tokens in one request, counted once its sentences are cut: 256 for each sentence that it may have, and no "
        "fewer than may wait.",
        of=lambda before: max(_QUEUE_TOKENS, _TOKENS_A_SENTENCE * before["max_sentences"]),
    )


class EmbedderSettings(RequestSettings, BatchingSettings, EngineSettings):
    """Settings of embedding in one process: the engine, the batching, and a request's limits."""


class ReloadSettings(Section):
    """Interval at which files that may change are checked."""

    reload_s: float = fixed(
        "Seconds between looks for a newer model, changed certificates and keys: a look costs a few system calls, and "
        "SIGHUP has one at once. 0 looks on SIGHUP only.",
        5.0,
    )


class SupervisorSettings(Section):
    """Folder of the served model, and how often the model is tested."""

    bundle: Path | None = option(
        "Start here",
        "Folder of the model, or of its versions, of which the highest is served; without it, or by the name english, "
        "the packaged one. For several models NAME=FOLDER, once for each; NAME=FOLDER?precision=int8 for what is its "
        "own.",
    )
    bundles: tuple[NamedBundle, ...] = fixed(
        "The models that `bundle` names, where it names any: the first is for callers who name none.", ()
    )
    selftest_s: float = fixed(
        "Seconds between self-tests of the live model, or 20 times as long as one took at the start where that is "
        "more: they never take more than a twentieth of its time. 0 tests it at start only.",
        60.0,
    )

    _chosen = field_validator("bundle")(chosen)

    @model_validator(mode="before")
    @classmethod
    def _take_names(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Have what `bundle` names in `bundles`. Raises SettingsError."""
        bundle = given.get("bundle")
        if isinstance(bundle, list | tuple) and len(bundle) == 1 and isinstance(bundle[0], str):
            bundle = bundle[0]
        if is_named(bundle):
            return given | {"bundle": None, "bundles": parse_bundles(bundle, _OWN)}
        return given | {"bundle": bundle}


_OWN = ("device", "engine", "precision", "max_gpu_bytes", "max_batch_tokens")
"""Settings that each of several models may have for itself."""


class ModelSettings(EmbedderSettings, ReloadSettings, SupervisorSettings):
    """Settings of an embedder, and of the supervisor that loads, tests and replaces its model."""

    @property
    def models(self) -> "list[OneModel]":
        """Return each model's settings, in order; the first is the default model. Raises SettingsError."""
        if not self.bundles:
            return [OneModel(None, self)]
        return [OneModel(bundle.name, self._of(bundle)) for bundle in self.bundles]

    @model_validator(mode="after")
    def _each_model_fits(self) -> Self:
        """Raises SettingsError that names the model whose own settings can't be."""
        self.models  # noqa: B018  made to be checked
        return self

    def _of(self, bundle: NamedBundle) -> "ModelSettings":
        common = self.model_dump(include=set(ModelSettings.model_fields) - {"bundles"})
        try:
            return ModelSettings.model_validate(common | {"bundle": bundle.folder} | bundle.engine)
        except SettingsError as error:
            raise SettingsError(f"--bundle {bundle.name}=…: {error}") from None
        except ValidationError as error:
            first = first_problem(error)
            raise SettingsError(
                f"--bundle {bundle.name}=…: {first.path[0]} {first.found}: {first.lower_message}"
            ) from None


class OneModel(NamedTuple):
    """Settings of one model, and the name by which callers ask for it; None for the bundle's own name."""

    name: str | None
    settings: ModelSettings

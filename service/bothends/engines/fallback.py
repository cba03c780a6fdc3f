"""Says why onnxruntime computes a model in the native engine's place, and what that costs."""

from dataclasses import dataclass

from .native_parts import Speeds


@dataclass(frozen=True, slots=True)
class Fallback:
    """The native engine, which `--engine auto` would have taken, doesn't serve a model."""

    why: str
    remedy: str
    """What has it served by the native engine after all."""

    def slow(self) -> str:
        """Say why, and how much slower onnxruntime computes."""
        return f"{self.why}; onnxruntime computes {Speeds.of_record().computed()}"

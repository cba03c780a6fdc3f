"""Explains why onnxruntime computes a model instead of the native engine, and what that costs."""

from dataclasses import dataclass

from .native_parts import Speeds


@dataclass(frozen=True, slots=True)
class Fallback:
    """Reason why the native engine, the first choice of `--engine auto`, doesn't serve a model."""

    why: str
    remedy: str
    """Command or setting with which the native engine would serve it."""
    cost: str | None = None
    """Share of the native engine's sentences that onnxruntime computes; None for that with the packaged model."""

    def slow(self) -> str:
        """Explain why, and how much slower onnxruntime computes."""
        return f"{self.why}; onnxruntime computes {self.cost or Speeds.of_record().computed()}"

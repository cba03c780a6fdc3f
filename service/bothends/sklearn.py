"""`SentenceVectorizer`, a transformer for scikit-learn's pipelines and grid searches, over `bothends.Encoder`.

Encoders are loaded once a process and shared, so that copying a transformer costs nothing.
"""

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

try:
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError("bothends.sklearn needs scikit-learn: pip install 'bothends[sklearn]'") from missing

from .encoder import Encoder
from .options import Truncation

_ENCODERS = 4
"""Encoders that a process keeps: one for each way of loading that was used last."""


class SentenceVectorizer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Transformer of sentences to their embeddings, float32 [sentences, dimensions]. Learns nothing; may be pickled.

    `bundle`, `device`, `engine`, `precision` and `workers` are as in `Encoder.load`; `truncation`, `normalize` and
    `dimensions` as in `Encoder.encode`, and a grid search may vary them. Rows have length 1 unless `normalize` is
    False.
    """

    def __init__(
        self,
        bundle: Path | str | None = None,
        *,
        device: str = "auto",
        engine: str = "auto",
        precision: str = "float32",
        workers: int | None = None,
        truncation: Truncation = "start",
        normalize: bool = True,
        dimensions: int | None = None,
    ) -> None:
        """Keep the parameters, as scikit-learn wants it; `fit` or `transform` loads the model."""
        self.bundle = bundle
        self.device = device
        self.engine = engine
        self.precision = precision
        self.workers = workers
        self.truncation = truncation
        self.normalize = normalize
        self.dimensions = dimensions

    def fit(self, X: Iterable[str], y: Any = None) -> Self:  # noqa: ARG002, N803  scikit-learn's names
        """Load the model. Raises SettingsError, BundleError or DeviceError."""
        self._encoder()
        return self

    def transform(self, X: Iterable[str]) -> NDArray[np.float32]:  # noqa: N803
        """Embed one column of sentences. Warns and raises like `Encoder.encode`."""
        if getattr(X, "ndim", 1) != 1:
            raise ValueError(
                'pass one column of sentences: ColumnTransformer([("text", SentenceVectorizer(), "text")])'
            )
        rows: NDArray[np.float32] = self._encoder().encode(
            list(X), truncation=self.truncation, normalize=self.normalize, dimensions=self.dimensions
        )
        return rows

    @property
    def _n_features_out(self) -> int:
        """Number of features, under the name where scikit-learn looks for it."""
        return self.dimensions or self._encoder().dimension

    def _encoder(self) -> Encoder:
        return _load(os.getpid(), self.bundle, self.device, self.engine, self.precision, self.workers)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.one_d_array, tags.input_tags.two_d_array = True, True, False
        tags.requires_fit = False
        return tags


@lru_cache(_ENCODERS)
def _load(
    process: int,  # noqa: ARG001  a forked process has none of its parent's threads
    bundle: Path | str | None,
    device: str,
    engine: str,
    precision: str,
    workers: int | None,
) -> Encoder:
    return Encoder.load(bundle, device=device, engine=engine, precision=precision, workers=workers)

"""Golden sentences, chosen as hard cases, with the embeddings that PyTorch computed; and their file, golden.npz."""

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..validation import one_line

_MAX_UNPACKED_BYTES = 256 << 20
"""Largest size that golden.npz may unpack to."""


class _GoldenText(BaseModel):
    """The JSON inside golden.npz."""

    model_config = ConfigDict(extra="forbid")

    sentences: list[Annotated[str, Field(min_length=1)]] = Field(min_length=1)
    token_ids: list[Annotated[list[int], Field(min_length=1)]]


@dataclass(frozen=True, slots=True)
class Golden:
    """Sentences with the token ids and embeddings that PyTorch computed for them."""

    sentences: list[str]
    token_ids: list[list[int]]
    embeddings: NDArray[np.float32]
    """float32 [sentences, dimension], each computed by PyTorch alone."""

    def to_bytes(self) -> bytes:
        """Return the content of golden.npz. Texts are stored as JSON, since NumPy's own strings drop trailing NULs."""
        text = json.dumps({"sentences": self.sentences, "token_ids": self.token_ids})
        buffer = io.BytesIO()
        np.savez_compressed(buffer, text=np.frombuffer(text.encode(), dtype=np.uint8), embeddings=self.embeddings)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Golden":
        """Read golden.npz. Raises ValueError if it isn't one."""
        try:
            _check_unpacked_size(_MAX_UNPACKED_BYTES, content)
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                text = _GoldenText.model_validate_json(arrays["text"].tobytes())
                embeddings = np.asarray(arrays["embeddings"])  # a member that is no array comes as bytes
        except ValidationError as error:
            raise ValueError(one_line(error)) from error
        except Exception as error:  # NumPy and zipfile raise of everything for a broken archive
            raise ValueError(f"{type(error).__name__}: {error}") from error
        if embeddings.dtype != np.float32 or embeddings.ndim != 2:
            raise ValueError(f"embeddings are {embeddings.dtype} of {embeddings.ndim} axes, expected float32 of 2")
        if not len(text.sentences) == len(text.token_ids) == len(embeddings):
            raise ValueError("sentences, token ids and embeddings aren't equally many")
        return cls(text.sentences, text.token_ids, embeddings)


def _check_unpacked_size(max_bytes: int, archive: bytes) -> None:
    """Raise ValueError if `archive` unpacks to more than `max_bytes` by the sizes in its directory."""
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        size = sum(member.file_size for member in members.infolist())
    if size > max_bytes:
        raise ValueError(f"it unpacks to {size} bytes; {max_bytes} are the most that it may hold")

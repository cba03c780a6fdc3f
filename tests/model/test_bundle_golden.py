"""golden.npz: its content comes back, and what it must not hold is refused."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from bothends.model.golden import Golden


def test_golden_text_survives_its_file() -> None:
    """NULs at the end, bidi marks and emoji come back as they were."""
    golden = Golden(["nul\x00", "\u202e", "👩‍👩‍👧‍👦"], [[1], [2], [3, 4]], np.ones((3, 2), np.float32))
    read = Golden.from_bytes(golden.to_bytes())
    assert (read.sentences, read.token_ids) == (golden.sentences, golden.token_ids)
    assert np.array_equal(read.embeddings, golden.embeddings)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"\x93NUMPY"],
    ids=["empty", "half a zip", "one array"],
)
def test_a_broken_archive_is_one_line(content: bytes) -> None:
    """The error is one kind, whatever NumPy and zipfile raise for the archive."""
    with pytest.raises(ValueError, match=r"\w"):
        Golden.from_bytes(content)


def archive(**members: bytes) -> bytes:
    """A zip file as NumPy writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def array(value: object, *, pickled: bool = False) -> bytes:
    """Bytes of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(value), allow_pickle=pickled)
    return buffer.getvalue()


class Bomb:
    """Object whose pickle ends the process when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (1,)


TEXT = np.frombuffer(b'{"sentences": ["a"], "token_ids": [[1]]}', dtype=np.uint8)
ROW = array(np.ones((1, 2), np.float32))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"text": array(TEXT), "embeddings": array([[Bomb()]], pickled=True)}, "Object arrays cannot be loaded"),
        ({"text": array(TEXT), "embeddings": b"\x80\x04" + pickle.dumps(Bomb())}, r"embeddings are \|S\d+ of 0 axes"),
        ({"text": bytes(300 << 20), "embeddings": ROW}, r"it unpacks to \d+ bytes; 268435456 are the most"),
        ({"text": array(TEXT), "embeddings": ROW[:20] + b"9" * 20_000}, "EOF|header|Header|eader"),
        ({"text": array(TEXT), "embeddings": ROW.replace(b"(1, 2)", b"(9**9,)")}, "malformed|Cannot parse|eader"),
        ({"text": array(TEXT), "embeddings": ROW.replace(b"(1, 2), }         ", b"(1, 99999999999), }")}, r"\w"),
        ({"text": array(np.frombuffer(b"[" * 100_000, np.uint8)), "embeddings": ROW}, "recursion limit"),
    ],
    ids=["a pickle", "a bare pickle", "a zip bomb", "a torn header", "code in a header", "a huge shape", "deep"],
)
def test_a_hostile_archive_is_refused(members: dict[str, bytes], message: str) -> None:
    """A hostile archive runs nothing, and its unpacked size is known before it is unpacked."""
    content = archive(**members)
    assert len(content) < 1 << 20
    with pytest.raises(ValueError, match=message):
        Golden.from_bytes(content)


@pytest.mark.parametrize(
    ("sentences", "ids", "embeddings"),
    [
        ([], [], np.ones((0, 2), np.float32)),
        (["a"], [[]], np.ones((1, 2), np.float32)),
        (["a"], [[1]], np.ones(1, np.float32)),
        (["a"], [[1]], np.ones((1, 2), np.float64)),
        (["a"], [[1], [2]], np.ones((1, 2), np.float32)),
        ([5], [[1]], np.ones((1, 2), np.float32)),
    ],
    ids=["nothing", "no ids", "one axis", "float64", "uneven", "no text"],
)
def test_golden_content_is_checked(sentences: list[str], ids: list[list[int]], embeddings: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"golden|sentences|token_ids|embeddings"):
        Golden.from_bytes(Golden(sentences, ids, embeddings).to_bytes())

"""The model folder: its content, and every way in which it can be wrong."""

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bothends.core.embedder import Embedder
from bothends.core.proof import prove
from bothends.errors import BundleError
from bothends.model import bundle
from bothends.model.bundle import HASHED, Bundle
from bothends.model.golden import Golden
from bothends.settings import Settings


@pytest.fixture
def folder(toy_bundle: Bundle, tmp_path: Path) -> Path:
    """A bundle that the test may break."""
    copy = tmp_path / "toy"
    shutil.copytree(toy_bundle.path, copy)
    return copy


def test_the_packaged_bundle_is_small_and_says_what_it_is(english: Bundle) -> None:
    """The packaged bundle has at most 24 MB, the files of the contract, and a card."""
    files = sorted(english.path.iterdir())
    assert [file.name for file in files] == ["README.md", "config.json", "golden.npz", "model.onnx", "tokenizer.json"]
    assert sum(file.stat().st_size for file in files) <= 24e6
    assert english.config.name == "english"
    assert english.config.dimension == 512
    assert len(english.golden.sentences) >= 20


def test_where_the_packaged_bundle_is_not_installed_its_package_is_named(
    toy_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client's installation has none; a bundle that somebody brings is proved and served without it."""
    monkeypatch.setattr(bundle, "files", lambda _: tmp_path)
    with pytest.raises(BundleError, match="pip install bothends-english, or name a bundle"):
        bundle.default_path()
    with closing(prove(toy_bundle.path, Settings(device="cpu"))) as proof:
        assert len(proof.result()) == 64


@pytest.mark.parametrize("name", HASHED)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name} is missing"):
        Bundle.open(folder)


@pytest.mark.parametrize("name", HASHED)
def test_a_changed_file_is_named(folder: Path, name: str) -> None:
    """One flipped bit anywhere is refused before the file is used."""
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name} has changed since its export"):
        Bundle.open(folder)


def test_a_missing_folder_or_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"nowhere: no such folder"):
        Bundle.open(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"config\.json is missing"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format: Input should be 1"),
        ({"tolerance": 1e300}, "tolerance: Input should be less than or equal to 0.1"),
        ({"name": "\x1b[31m"}, "name: String should match pattern"),
        ({"sha256": {}}, r"has no SHA-256 of model\.onnx"),
        ({"sha256": {"model.onnx": "\x1b[31m" + "0" * 59}}, r"sha256\.model\.onnx: String should match pattern"),
        ({"nested_dimensions": [3]}, "nested_dimensions.0: Input should be a multiple of 2"),
        ({"nested_dimensions": [8, 32]}, "nested_dimensions: sizes go up and stay below 32"),
        (
            {"nested_dimensions": [8], "head": {"size": 32}},
            "an embedding without a forward and a backward half has none",
        ),
        ({"cell": "rnn"}, "cell: Input should be 'lstm' or 'gru', found 'rnn'"),
        ({"projection_size": 16}, "projection_size: must be below hidden_size, 16"),
        ({"hidden_size": 8}, "embeddings don't have the 16 numbers"),
    ],
)
def test_a_wrong_config_is_one_line(folder: Path, change: dict[str, object], message: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | change))
    with pytest.raises(BundleError, match=message) as refused:
        Bundle.open(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 100_000, "Invalid JSON: recursion limit exceeded"),
        ('{"hidden_size": ' + "9" * 100_000 + "}", "config.json: "),
        ('{"\\u001b[31m' + "x" * 10_000 + '": 1}', "Extra inputs are not permitted|Field required"),
        ('{"hidden_size": NaN}', "config.json: "),
        ('{"name": "\\ud800"}', "Invalid JSON"),
    ],
    ids=["deep", "a huge number", "a hostile key", "no number", "a lone surrogate"],
)
def test_a_hostile_config_is_one_line(folder: Path, content: str, message: str) -> None:
    """The line is short, and without control characters: it goes to logs and terminals."""
    (folder / "config.json").write_text(content)
    with pytest.raises(BundleError, match=message) as refused:
        Bundle.open(folder)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000


def test_a_key_that_stands_twice_is_refused(folder: Path) -> None:
    """Readers differ in which one counts: an audit would have seen another than the server."""
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace("{", '{"layers": 3,', 1))
    with pytest.raises(BundleError, match=r"config\.json: a key stands twice"):
        Bundle.open(folder)


@pytest.mark.parametrize("name", ["config.json", "README.md", "tokenizer.json", "golden.npz"])
def test_a_file_past_its_limit_is_refused_unread(folder: Path, name: str) -> None:
    """Each kind has its own; a sparse file costs an attacker nothing."""
    with (folder / name).open("r+b") as file:
        file.truncate(64 * (1 << 20) + 1)
    with pytest.raises(BundleError, match=rf"{name} has 67108865 bytes; \d+ are the most"):
        Bundle.open(folder)


def test_a_model_past_protobufs_limit_is_refused_unread(folder: Path) -> None:
    with (folder / "model.onnx").open("r+b") as file:
        file.truncate(1 << 31)
    with pytest.raises(BundleError, match=r"model\.onnx has 2147483648 bytes; 2147483647 are the most"):
        Bundle.open(folder)


def rewritten(original: Bundle, folder: Path, **parts: Any) -> Bundle:
    """The bundle with other parts and right hashes."""
    whole: dict[str, Any] = {
        "config": original.config.model_dump(exclude={"sha256"}),
        "model": original.model,
        "tokenizer": original.tokenizer,
        "golden": original.golden,
        "card": "",
    }
    bundle.write(folder, **(whole | parts))
    return Bundle.open(folder)


def test_what_was_checked_is_what_runs(folder: Path, toy_bundle: Bundle) -> None:
    """Files are read once: whatever they come to hold while a server starts, or later, changes nothing."""
    opened = Bundle.open(folder)
    for file in folder.iterdir():
        file.write_bytes(b"something else")
    with Embedder.load(opened) as embedder, Embedder.load(toy_bundle) as reference:
        sentences = toy_bundle.golden.sentences
        assert embedder.embed(sentences).rows.tobytes() == reference.embed(sentences).rows.tobytes()


def test_a_malformed_golden_file_is_one_line(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Garbage and pickles aren't loaded."""

    class Garbage(Golden):
        def to_bytes(self) -> bytes:
            return b"garbage"

    with pytest.raises(BundleError, match=r"golden\.npz is malformed"):
        rewritten(toy_bundle, tmp_path / "garbage", golden=Garbage([], [], np.ones((0, 2), np.float32)))


def test_write_refuses_what_exists_and_leaves_nothing_half_written(toy_bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="exists already"):
        rewritten(toy_bundle, toy_bundle.path)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(BundleError, match="can't be written"):
        rewritten(toy_bundle, blocked / "bundle")
    assert sorted(tmp_path.iterdir()) == [blocked]


def test_what_a_killed_writer_left_is_replaced(toy_bundle: Bundle, tmp_path: Path) -> None:
    """A half-written folder neither stops the next writer nor becomes a part of its bundle."""
    (tmp_path / f"new{bundle.PARTIAL}").mkdir()
    (tmp_path / f"new{bundle.PARTIAL}" / "half").write_text("of a file")
    written = rewritten(toy_bundle, tmp_path / "new").path
    assert {file.name for file in written.iterdir()} == {file.name for file in toy_bundle.path.iterdir()}
    assert list(tmp_path.iterdir()) == [written]


def test_a_bundle_without_noise_is_read_by_older_versions(toy_bundle: Bundle, tmp_path: Path) -> None:
    """Older versions refuse fields that they don't know, such as `noise`, which few bundles need."""
    written = json.loads((toy_bundle.path / "config.json").read_text(encoding="utf-8"))
    assert "noise" not in written
    loud = toy_bundle.config.model_dump(exclude={"sha256"}) | {"noise": 1e-4}
    assert rewritten(toy_bundle, tmp_path / "loud", config=loud).config.noise == 1e-4

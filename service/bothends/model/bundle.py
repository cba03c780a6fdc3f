"""Reads and writes the model folder, and checks its files by their hashes. Engines load what is read here.

    model.onnx       inputs token_ids int64 [batch, time], lengths int32 [batch];
                     outputs embedding float32 [batch, dimension], h_n float32 [layers·directions, batch, state]
    tokenizer.json   Hugging Face tokenizers format
    golden.npz       sentences chosen to break things, with PyTorch's embedding of each, computed alone
    README.md        the model card
    config.json      name, version, sizes, tolerance, and the SHA-256 of each file above

Files are read once, hashed, and used from memory: what was checked is what runs. docs/bundle.md says what is trusted.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from ..errors import BundleError
from ..settings import PACKAGED
from ..text import printable, shell_word
from ..validation import one_line
from .architecture import EncoderConfig, Languages
from .folder import UntrustedFolder
from .golden import Golden
from .pooling import POOLINGS

MODEL, TOKENIZER, GOLDEN, CARD, CONFIG = "model.onnx", "tokenizer.json", "golden.npz", "README.md", "config.json"
HASHED = (MODEL, TOKENIZER, GOLDEN, CARD)
_WEIGHTS = "model.safetensors"  # of a checkpoint
PARTIAL = ".partial"
"""Suffix of a folder that is being written."""
_INT32 = 2**31 - 1
_MIB = 1 << 20
_MAX_BYTES = {MODEL: _INT32, TOKENIZER: 64 * _MIB, GOLDEN: 64 * _MIB, CARD: _MIB, CONFIG: _MIB}
"""Largest size of a file, checked before it is read. protobuf has no larger messages than the model's limit."""
_LARGE_BYTES = 64 * _MIB
"""Size from which a file is hashed before it is read, so that its author can't decide how much memory a reader uses."""
T = TypeVar("T")

NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_NEWER = ("attention", "hidden_sizes", "reset_after", "noise")
"""Fields that config.json has only where they say something."""
_SHA256 = r"^[0-9a-f]{64}$"
MAX_TOKENS = 100_000
"""Bound of what a model may read of one sentence, in tokens."""
VERSION = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


class BundleConfig(EncoderConfig):
    """Content of a bundle's config.json."""

    format: Literal[1] = 1
    name: str = Field(pattern=NAME)
    version: str = Field(pattern=VERSION)
    max_tokens: int = Field(gt=0, le=MAX_TOKENS)
    languages: Languages = ()
    nested_dimensions: tuple[Annotated[int, Field(ge=2, multiple_of=2)], ...] = Field(
        (),
        description="sizes k that were trained for: the first k/2 numbers of each half are an embedding by themselves",
    )
    cosine_to_final_states: float | None = Field(
        None,
        ge=-1.001,
        le=1.001,
        description="mean over the golden sentences, where pooling is another and the embedding as wide",
    )
    tolerance: float = Field(
        gt=0, le=0.1, description="largest absolute difference to PyTorch it was verified to, on a CPU"
    )
    noise: float | None = Field(
        None,
        gt=0,
        le=0.1,
        description="largest difference of PyTorch's own float32 from its float64, where that set the tolerance",
    )
    sha256: dict[str, Annotated[str, Field(pattern=_SHA256)]]

    @model_validator(mode="after")
    def _nested_dimensions_grow_within(self) -> Self:
        self.check_nested_dimensions(self.nested_dimensions)
        return self

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes that an embedding can have, in ascending order: the nested sizes, and the full dimension."""
        return (*self.nested_dimensions, self.dimension)

    def pooling_note(self) -> str | None:
        """Note for people about a pooling other than the final states; None for the final states."""
        if self.pooling == "final_states":
            return None
        cosine = self.cosine_to_final_states
        far = "" if cosine is None else f"; mean cosine to the final states' embeddings {cosine:.2f}"
        return f"pooling is {self.pooling}, {POOLINGS[self.pooling].meaning}{far}"

    def proof(self) -> str:
        """One line for people: how near to PyTorch the bundle was found, and why no nearer."""
        if self.noise is None:
            return f"equal to PyTorch within {self.tolerance:.0e}"
        why = f"with these weights PyTorch's own float32 is {self.noise:.1e} off its float64 in long sentences"
        return f"equal to PyTorch within {self.tolerance:.1e}: {why}"

    def summary(self) -> str:
        """One line for people that describes the model."""
        return (
            f"{self.name} {self.version} · {self.dimension} numbers a sentence · {self.described()} · "
            f"up to {self.max_tokens} tokens"
        )


@dataclass(frozen=True, slots=True)
class Bundle:
    """Bundle whose hashes were right when it was read."""

    path: Path
    config: BundleConfig
    model: bytes
    tokenizer: str
    golden: Golden
    card: str
    """Markdown."""

    @classmethod
    def open(cls, path: Path) -> "Bundle":
        """Read and check the bundle at `path`. Raises BundleError, naming the file that is missing or wrong."""
        with UntrustedFolder(path) as folder:
            config = _read_config(folder, path)
            contents = {name: _read_hashed(folder, path / name, config.sha256.get(name)) for name in HASHED}
        tokenizer = _read_as(bytes.decode, contents[TOKENIZER], path / TOKENIZER)
        golden = _read_as(Golden.from_bytes, contents[GOLDEN], path / GOLDEN)
        if golden.embeddings.shape[1:] != (config.dimension,):
            raise BundleError(f"{path / GOLDEN}: embeddings don't have the {config.dimension} numbers of {CONFIG}")
        return cls(path, config, contents[MODEL], tokenizer, golden, contents[CARD].decode(errors="replace"))


def read_config(path: Path) -> BundleConfig:
    """Read only the config of the bundle at `path`. Raises BundleError."""
    with UntrustedFolder(path) as folder:
        return _read_config(folder, path)


def check(path: Path) -> BundleConfig:
    """Read the config of the bundle at `path`, and check all hashes without loading whole files. Raises BundleError."""
    with UntrustedFolder(path) as folder:
        config = _read_config(folder, path)
        for name in HASHED:
            _check_hash(folder.sha256(name, max_bytes=_MAX_BYTES[name]), path / name, config.sha256.get(name))
    return config


def size(path: Path) -> int:
    """Return the total size of the files of the bundle at `path`, in bytes. Raises BundleError."""
    with UntrustedFolder(path) as folder:
        return sum(folder.size(name, max_bytes=_MAX_BYTES[name]) for name in (CONFIG, *HASHED))


def default_path() -> Path:
    """Return the path of the packaged bundle: in a clone it is part of the sources, from PyPI a distribution of its
    own.

    Raises BundleError if it isn't installed.
    """
    path = Path(str(files("bothends") / "models" / PACKAGED))
    if not path.exists():
        raise BundleError("the packaged model isn't installed: pip install bothends-english, or name a bundle")
    return path


def write(
    path: Path, *, config: Mapping[str, Any], model: bytes, tokenizer: str, golden: Golden, card: str
) -> BundleConfig:
    """Write a bundle to the new folder `path`: all of it or nothing. `config` has BundleConfig's fields except sha256.

    Raises BundleError if `path` exists already, or can't be written.
    """
    if path.exists():
        raise BundleError(f"{path} exists already; remove it or choose another folder")
    contents = {
        MODEL: model,
        TOKENIZER: tokenizer.encode(),
        GOLDEN: golden.to_bytes(),
        CARD: card.encode(),
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    complete = BundleConfig(**config, sha256=hashes)
    partial = path.with_name(path.name + PARTIAL)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, content in contents.items():
            (partial / name).write_bytes(content)
        unknown_to_older = {  # versions that refuse fields unknown to them
            name for name in _NEWER if getattr(complete, name) == BundleConfig.model_fields[name].default
        }
        text = complete.model_dump_json(indent=2, exclude=unknown_to_older)
        (partial / CONFIG).write_text(text + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise BundleError(f"{path} can't be written: {error.strerror}") from error
    return complete


def _read_as(read: Callable[[bytes], T], content: bytes, file: Path) -> T:
    try:
        return read(content)
    except ValueError as error:
        raise BundleError(f"{file} is malformed: {printable(error)}") from error


def _read_config(folder: UntrustedFolder, path: Path) -> BundleConfig:
    if (path / _WEIGHTS).exists() and not (path / MODEL).exists():
        following = f"next: bothends export {shell_word(path)} --out BUNDLE"
        raise BundleError(f"{path} is a checkpoint and no bundle; {following}")
    if not (path / CONFIG).exists():
        raise BundleError(f"there is no bundle at {path}: {CONFIG} is missing; bothends export makes bundles")
    try:
        content = folder.read(CONFIG, max_bytes=_MAX_BYTES[CONFIG])
        config = BundleConfig.model_validate_json(content)
        json.loads(content, object_pairs_hook=_each_once)
    except ValidationError as error:
        raise BundleError(f"{path / CONFIG}: {one_line(error)}") from error
    except ValueError as error:
        raise BundleError(f"{path / CONFIG}: {printable(error)}") from error
    return config


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object. A repeated key is an error, since readers differ in which one counts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _read_hashed(folder: UntrustedFolder, file: Path, expected: str | None) -> bytes:
    """Read a file whose hash holds. A large one is hashed before it is held in memory, too."""
    max_bytes = _MAX_BYTES[file.name]
    if folder.size(file.name, max_bytes=max_bytes) > _LARGE_BYTES:
        _check_hash(folder.sha256(file.name, max_bytes=max_bytes), file, expected)
    content = folder.read(file.name, max_bytes=max_bytes)
    _check_hash(hashlib.sha256(content).hexdigest(), file, expected)
    return content


def _check_hash(found: str, file: Path, expected: str | None) -> None:
    if expected is None:
        raise BundleError(f"{file.parent / CONFIG} has no SHA-256 of {file.name}")
    if found != expected:
        raise BundleError(f"{file} has changed since its export: SHA-256 {found[:12]}…, {CONFIG} says {expected[:12]}…")

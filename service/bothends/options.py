"""Options that callers may set beside their sentences, and the functions that apply them to rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib import import_module
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict, Unpack, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from .embeddings import nested
from .errors import RequestError

Truncation: TypeAlias = Literal["start", "error", "end", "pieces"]
"""Treatment of a sentence longer than the model reads: it is an error, its start or its end is kept, or all of it is
read in pieces: its row is the mean of theirs, all at length 1."""
Encoding: TypeAlias = Literal["float32", "float16", "int8", "sign_bits"]
"""Number format of an embedding."""
Precision: TypeAlias = Literal["float32", "bf16", "int8"]
"""Number format of an engine's weights and states."""
_INT8_MAX = 127
_NORMALIZED: dict[Encoding, float] = {"float32": 1e-4, "float16": 1e-3, "int8": 1e-4}
"""Most by which the length of a normalised row differs from 1: float32 rounds in its sum, float16 each number by up to
2^-11 of it. What int8 rounds depends on a row's scale, and is added."""


class EmbedOptions(TypedDict, total=False):
    """Options of the clients' methods, as keyword arguments."""

    truncation: Truncation
    """"start" (the default) and "end" keep that part of a sentence longer than the model reads; "error" refuses it;
    "pieces" reads all of it, and its row is the mean of its pieces'."""
    normalize: bool
    """True if rows are scaled to length 1."""
    dimensions: int | None
    """Numbers that a row is to have: one of the model's `nested_dimensions`."""
    encoding: Encoding
    """Encoding in which rows travel, and are returned: see `Embeddings.rows`."""


class EncodeOptions(EmbedOptions, total=False):
    """Options of `encode`: EmbedOptions, and the equivalent names in sentence-transformers for programs written for
    it.
    """

    normalize_embeddings: bool | None
    """Another word for `normalize`."""
    truncate_dim: int | None
    """Another word for `dimensions`."""
    batch_size: int | None
    """Taken and not used: batches are made of whatever waits."""
    show_progress_bar: bool | None
    """Taken and not used: none is shown."""
    convert_to_numpy: bool | None
    """False for a list of torch's tensors, one a row; True, the default, for a NumPy array."""
    convert_to_tensor: bool | None
    """True for one of torch's tensors, which holds the same numbers; it needs torch."""
    precision: Literal["float32"] | None
    """"float32": `encoding` has the others."""
    output_value: Literal["sentence_embedding"] | None
    """"sentence_embedding": tokens have none."""
    device: None
    """None: where a model runs is said when it is loaded."""
    prompt: None
    """None: no model here knows prompts."""
    prompt_name: None
    """None, as `prompt`."""


_OURS = {"normalize_embeddings": "normalize", "truncate_dim": "dimensions"}
_UNUSED = ("batch_size", "show_progress_bar")
_KINDS = ("convert_to_numpy", "convert_to_tensor")
"""Words that say what holds the rows: `as_asked` knows them."""
_ONLY: dict[str, Any] = {
    "precision": "float32", "output_value": "sentence_embedding", "device": None, "prompt": None, "prompt_name": None,
}  # fmt: skip
"""Words of sentence-transformers that may have one value, which asks for what is done anyway."""
_ELSEWHERE = {
    "precision": "what you want is encoding=, which is float32, float16, int8 or sign_bits",
    "output_value": "a sentence has one row, and its tokens have none",
    "device": "what you want is Encoder.load(device=)",
    "prompt": "no model here knows prompts; put the text before the sentence",
    "prompt_name": "no model here knows prompts; put the text before the sentence",
    "max_seq_length": "what you want is truncation=",
}
"""What to do instead where another value, or another word, was given."""


def ours(given: Mapping[str, Any]) -> EmbedOptions:
    """Translate EncodeOptions to EmbedOptions. A foreign word that is None wasn't said: libraries pass on all words.

    Raises TypeError for an unknown name, or for a value that asks for what isn't done here.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None and name not in EmbedOptions.__annotations__:
            continue
        if name in _ONLY:
            if value != _ONLY[name]:
                raise TypeError(f"{name}={value!r}: {_ELSEWHERE[name]}")
        elif name in EmbedOptions.__annotations__ or name in _OURS:
            if (word := _OURS.get(name, name)) in found:
                raise TypeError(f"encode() got both {word} and sentence-transformers' word for it")
            found[word] = value
        elif name not in (*_UNUSED, *_KINDS):
            instead = f"; {_ELSEWHERE[name]}" if name in _ELSEWHERE else ""
            raise TypeError(f"encode() takes {', '.join(EmbedOptions.__annotations__)}, and no {name}{instead}")
    return cast("EmbedOptions", found)


def as_asked(rows: NDArray[Any], given: Mapping[str, Any]) -> NDArray[Any]:
    """Return `rows` in what EncodeOptions' words ask for: the array itself, a tensor of torch, or a list of tensors.

    Raises ModuleNotFoundError where torch isn't installed, and something of it is wanted.
    """
    if not given.get("convert_to_tensor") and given.get("convert_to_numpy") is not False:
        return rows
    try:
        torch = import_module("torch")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("a tensor needs torch; without it rows are NumPy arrays", name=error.name) from None
    tensor = torch.from_numpy(rows)
    found: Any = tensor if given.get("convert_to_tensor") or rows.ndim == 1 else list(tensor)
    return cast("NDArray[Any]", found)  # who asks for tensors knows it


class Option(NamedTuple):
    """An option, from which readers, errors, flags and tables of it are made: a field of Options."""

    name: str
    """In Python and in bothends.v1."""
    hint: Any
    """Its type, as Options has it."""
    kind: type
    """bool, int, or str for one of `words`."""
    words: tuple[str, ...]
    default: Any
    what: str
    """What it does, in one sentence."""
    called: Mapping[str, str]
    """What other contracts call it, by the names of their fronts' folders; those that don't have it are left out."""


def _about(what: str, **called: str) -> dict[str, Any]:
    return {"what": what, "called": called}


@dataclass(frozen=True, slots=True)
class Options:
    """What a request asks for beside its sentences. native/transport/options.hpp has the same rows for C++."""

    truncation: Truncation = field(
        default="start",
        metadata=_about(
            "What becomes of a sentence longer than the model reads: its start or end is kept, it is an error, or its "
            "vector is the mean of its pieces'.",
            kserve="truncation",
            openai="truncation",
            tei="truncation, truncate, truncation_direction",
            ollama="truncation, truncate",
        ),
    )
    normalize: bool = field(
        default=False,
        metadata=_about("Whether each vector is scaled to length 1.", kserve="normalize", tei="normalize"),
    )
    dimensions: int | None = field(
        default=None,
        metadata=_about(
            "How many numbers a vector is to have: a size of the model's.",
            kserve="dimensions",
            openai="dimensions",
            tei="dimensions",
            ollama="dimensions",
        ),
    )
    encoding: Encoding = field(
        default="float32",
        metadata=_about("How a vector's numbers are written.", openai="encoding_format", tei="encoding_format"),
    )

    def shaped(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return `rows`, float32 [sentences, dimension], cut and normalised as requested; the same object if nothing
        was.
        """
        if self.dimensions is not None and self.dimensions != rows.shape[1]:
            rows = nested(rows, self.dimensions)
        if self.normalize:
            rows = at_unit_length(rows)
        return rows


def at_unit_length(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return `rows`, float32 [sentences, dimension], scaled to length 1; one of zeros has no direction, and stays."""
    lengths = _lengths(rows)
    lengths[lengths == 0] = 1
    return rows / lengths


def _lengths(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the length of each of `rows`: float32 [sentences, 1].

    The squares' second half is added to the first, number by number, until one is left. NumPy's own sums promise no
    order; this one `squared_length` in native/transport/shape.cpp keeps as well.
    """
    sums = rows * rows
    while (width := sums.shape[1]) > 1:
        half = (width + 1) // 2
        sums[:, : width - half] += sums[:, half:]
        sums = sums[:, :half]
    lengths: NDArray[np.float32] = np.sqrt(sums)
    return lengths


def _options() -> dict[str, Option]:
    hints = get_type_hints(Options)
    found = {}
    for each in fields(Options):
        hint = hints[each.name]
        words = get_args(hint) if get_origin(hint) is Literal else ()
        kind = str if words else next(iter(get_args(hint)), hint)
        found[each.name] = Option(each.name, hint, kind, words, each.default, **each.metadata)
    return found


OPTIONS: Mapping[str, Option] = _options()
"""All options by their names."""
DEFAULT_OPTIONS = Options()
"""Every number, as the model computes it."""


def parse_options(**asked: Unpack[EmbedOptions]) -> Options:
    """Make Options of keyword arguments. Raises RequestError for an unknown word; a model checks sizes."""
    options = Options(**asked)
    for name, option in OPTIONS.items():
        if option.words and (word := getattr(options, name)) not in option.words:
            raise RequestError(f"{name} {word!r}: it is {', '.join(option.words)}", field=name)
    return options if options.dimensions else replace(options, dimensions=None)


def encoded(rows: NDArray[np.float32], encoding: Encoding) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
    """Encode `rows`, float32 [sentences, dimension]; returns them, and for int8 the scales, float32 [sentences].

    `Embeddings.rows` explains which number a bit or an int8 stands for.
    """
    if encoding == "int8":
        largest: NDArray[np.float32] = np.abs(rows).max(axis=1, keepdims=True, initial=0)
        scales = largest / np.float32(_INT8_MAX)
        return np.rint(rows / np.where(scales > 0, scales, np.float32(1))).astype(np.int8), scales[:, 0]
    if encoding == "sign_bits":
        return np.packbits(rows > 0, axis=1), None
    return rows.astype(encoding, copy=False), None


def no_rows(dimension: int, nested_dimensions: Sequence[int], **asked: Unpack[EmbedOptions]) -> NDArray[Any]:
    """Return an empty array [0, size] in the requested encoding, for a model of this `dimension`.

    Raises RequestError for a size that the model doesn't offer.
    """
    options = parse_options(**asked)
    size = options.dimensions or dimension
    if size not in (*nested_dimensions, dimension):
        offered = ", ".join(map(str, (*nested_dimensions, dimension)))
        raise RequestError(f"{size} dimensions can't be had; this model offers {offered}", field="dimensions")
    return encoded(np.empty((0, size), np.float32), options.encoding)[0]


def is_normalized(rows: NDArray[Any], scales: NDArray[np.float32] | None, asked: Options) -> bool:
    """Return True if every row has length 1, as near as its encoding can say, or holds zeros alone.

    `rows` and `scales` are as `encoded` returns them in the encoding asked for. A row of sign bits has no length.
    """
    if asked.encoding == "sign_bits":
        return True
    tolerance: NDArray[np.float64] | float = _NORMALIZED[asked.encoding]
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    if scales is not None:
        widths = scales.astype(np.float64)
        lengths *= np.abs(widths)
        tolerance = tolerance + widths / 2 * np.sqrt(rows.shape[1])  # each number is off by half a step at most
    return bool(((np.abs(lengths - 1) <= tolerance) | (lengths == 0)).all())

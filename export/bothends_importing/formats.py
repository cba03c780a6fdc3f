"""A source file to the encoder in it, by the format that its content shows or the caller names.

Knows nothing of what a format looks like inside, nor of the command line's words but for its options' names.
"""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from .allennlp import allennlp
from .asked import FORMATS, READ, Asked, Format
from .flair import flair
from .imported import Imported
from .infersent import infersent
from .laser import TABLE as LASER_TABLE
from .laser import laser
from .pytorch.module import is_json, own
from .pytorch.names import StateDictConfig
from .pytorch.names import read as read_toml
from .readers.archive import is_archive, unpacked
from .readers.file import opened
from .source import Opened, SourceError


def imported(source: Path, asked: Asked, *, format_name: Format | None = None) -> tuple[Format, Imported]:
    """The encoder in `source`, and its format. Raises SourceError."""
    if format_name == "allennlp" or (format_name is None and is_archive(source)):
        return "allennlp", _of_allennlp(source, asked)
    config = read_toml(asked.encoder) if asked.encoder and not is_json(asked.encoder) else StateDictConfig()
    read = opened(source, ignore=config.ignore)
    found = format_name or guessed(read)
    if found == "allennlp":
        return found, _of_allennlp(source, asked)
    if found in ("torchscript", "keras") and read.kind != found:
        raise SourceError(f"{source} is no {found} file; it is of {read.kind}")
    _check_options(found, asked)
    reader = _READERS.get(found)
    return found, reader(read, asked) if reader else own(read, asked, config)


def _of_allennlp(source: Path, asked: Asked) -> Imported:
    _check_options("allennlp", asked)
    with unpacked(source, asked.vocabulary) as archive:
        return allennlp(archive, asked)


def guessed(read: Opened) -> Format:
    """What the names of the tensors say. Raises SourceError where two formats have the same."""
    names = list(read.tensors)
    if read.kind in ("torchscript", "keras"):
        return read.kind
    if read.extras.get("__cls__") == "DocumentRNNEmbeddings":
        return "flair"
    if LASER_TABLE in names and "params" in read.extras:
        return "laser"
    if any("seq2vec_encoder._module." in name for name in names):
        return "allennlp"
    if all(name.startswith("enc_lstm.") for name in names):
        return _version_of_infersent(read)
    return "pytorch"


def _version_of_infersent(read: Opened) -> Format:
    versions: tuple[Format, ...] = ("infersent1", "infersent2")
    for version in versions:
        if version in read.file.name.lower():
            return version
    raise SourceError(
        f"{read.file} holds an InferSent, and nothing in it tells which: say --format infersent1 (GloVe, <s>) or "
        "--format infersent2 (fastText, <p>)"
    )


def _check_options(chosen: Format, asked: Asked) -> None:
    """Raises SourceError if `asked` says what says nothing to the format."""
    for field in fields(Asked):
        readers = [name for name in FORMATS if field.name in READ[name]]
        if readers and chosen not in readers and getattr(asked, field.name) != field.default:
            flag = "no-head" if field.name == "head" else field.name
            raise SourceError(f"--{flag} says nothing to the format {chosen}; it is of {', '.join(readers)}")


_READERS: dict[Format, Callable[[Opened, Asked], Imported]] = {  # all but people's own modules and AllenNLP's archives
    "infersent1": lambda read, asked: infersent(read, asked, version=1),
    "infersent2": lambda read, asked: infersent(read, asked, version=2),
    "laser": laser,
    "flair": flair,
}

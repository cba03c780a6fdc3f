"""Picks the importer of a source file, by its content or by the format that the caller names.

Each importer is imported only when its format is needed; for example, only that of ONNX needs onnxruntime.
"""

from dataclasses import fields
from pathlib import Path

from .imported_encoder import ImportedEncoder
from .options import FORMATS, OPTIONS_READ, Format, ImportOptions
from .pytorch.config import StateDictConfig, is_json
from .pytorch.config import read as read_toml
from .readers.archive import is_archive, unpacked
from .readers.file import is_onnx, open_weights
from .source import SourceError, WeightsFile


def import_encoder(
    source: Path, options: ImportOptions, *, format_name: Format | None = None
) -> tuple[Format, ImportedEncoder]:
    """Import the encoder in `source`; returns its format too. Raises SourceError."""
    if format_name == "allennlp" or (format_name is None and is_archive(source)):
        return "allennlp", _import_allennlp(source, options)
    config = read_toml(options.encoder) if options.encoder and not is_json(options.encoder) else StateDictConfig()
    if format_name == "onnx" or (format_name is None and is_onnx(source)):
        _check_options("onnx", options)
        return "onnx", _import_onnx(source, options, config)
    weights = open_weights(source, ignore=config.ignore)
    found = format_name or guess_format(weights)
    if found == "allennlp":
        return found, _import_allennlp(source, options)
    if found in ("torchscript", "keras") and weights.kind != found:
        raise SourceError(f"{source} is no {found} file; it is of {weights.kind}")
    _check_options(found, options)
    return found, _import_weights(found, weights, options, config)


def _import_weights(
    found: Format, weights: WeightsFile, options: ImportOptions, config: StateDictConfig
) -> ImportedEncoder:
    match found:
        case "laser":
            return _import_laser(weights, options, config)
        case "flair":
            from .flair import flair

            return flair(weights, options)
        case "infersent1" | "infersent2":
            from .infersent import infersent

            return infersent(weights, options, version=1 if found == "infersent1" else 2)
        case _:
            from .pytorch.custom_module import custom_module

            return custom_module(weights, options, config)


def _import_onnx(source: Path, options: ImportOptions, config: StateDictConfig) -> ImportedEncoder:
    """Import a graph, which shows all that a TOML says of weights, but how text is split."""
    read = {"name", "max_tokens", "tokenizer"}
    if said := sorted(config.model_fields_set - read):
        raise SourceError(
            f"{options.encoder}: {said[0]} says nothing to the format onnx; it reads {', '.join(sorted(read))}"
        )
    from .onnx import map_onnx
    from .pytorch.custom_module import with_tokenizer

    return with_tokenizer(map_onnx(source), options, config)


def _import_laser(weights: WeightsFile, options: ImportOptions, config: StateDictConfig) -> ImportedEncoder:
    """Import LASER's, whose file says all but which rows have no piece."""
    if config.model_fields_set - {"tokenizer"} or config.tokenizer.model_fields_set - {"unused_rows"}:
        raise SourceError(f"{options.encoder}: of a TOML, the format laser reads [tokenizer] unused_rows only")
    from .laser import laser

    return laser(weights, options, unused=config.tokenizer.unused_rows)


def _import_allennlp(source: Path, options: ImportOptions) -> ImportedEncoder:
    from .allennlp import allennlp

    _check_options("allennlp", options)
    with unpacked(source, options.vocabulary) as archive:
        return allennlp(archive, options)


def guess_format(weights: WeightsFile) -> Format:
    """Guess the format by the names of the tensors. Raises SourceError if two formats fit."""
    names = list(weights.tensors)
    if weights.kind in ("torchscript", "keras"):
        return weights.kind
    if weights.extras.get("__cls__") == "DocumentRNNEmbeddings":
        return "flair"
    if "embed_tokens.weight" in names and "params" in weights.extras:
        return "laser"
    if any("seq2vec_encoder._module." in name for name in names):
        return "allennlp"
    if all(name.startswith("enc_lstm.") for name in names):
        return _version_of_infersent(weights)
    return "pytorch"


def _version_of_infersent(weights: WeightsFile) -> Format:
    versions: tuple[Format, ...] = ("infersent1", "infersent2")
    for version in versions:
        if version in weights.file.name.lower():
            return version
    raise SourceError(
        f"{weights.file} holds an InferSent, and nothing in it tells which: say --format infersent1 (GloVe, <s>) or "
        "--format infersent2 (fastText, <p>)"
    )


def _check_options(chosen: Format, options: ImportOptions) -> None:
    """Raise SourceError if an option is given that says nothing to the format."""
    for field in fields(ImportOptions):
        readers = [name for name in FORMATS if field.name in OPTIONS_READ[name]]
        if readers and chosen not in readers and getattr(options, field.name) != field.default:
            flag = "no-head" if field.name == "head" else field.name
            raise SourceError(f"--{flag} says nothing to the format {chosen}; it is of {', '.join(readers)}")

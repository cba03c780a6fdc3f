"""`bothends import`: reads a file of another library's encoder, shows what was understood, then writes a checkpoint.

Heavy imports such as torch are inside the functions, so that `bothends --help` can list this command without them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import click

from bothends.cli.choice import Choice
from bothends.cli.paths import check_exists, check_file
from bothends.model.pooling import Pooling
from bothends.text import printable, shell_word

from .options import FORMATS, Format, ImportOptions

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from .imported_encoder import ImportedEncoder

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path)
_PARTS = ("embedding", "input_projection", "lstm", "gru", "h_0", "c_0", "attention", "head")
"""Parts of an encoder, as a token passes them."""
_NUMBERS_SHOWN = 3


def _source_options(command: FunctionT) -> FunctionT:
    """Add the further options that a format needs."""
    for option in reversed(
        [
            click.option("--format", "format_name", type=Choice(FORMATS), metavar="FORMAT",
                         help=f"One of {', '.join(FORMATS)}; by default, the one that SOURCE shows."),
            click.option("--encoder", type=_FILE, metavar="TOML",
                         help="pytorch, torchscript: which tensor is which, where that can't be guessed, and how text "
                         "is split. keras: how text is split, and where SOURCE is weights only the model's to_json(), "
                         "as layers = FILE, or in place of the TOML. onnx: how text is split. laser: which rows of the "
                         "table have no piece."),
            click.option("--tokenizer", type=_FILE, metavar="FILE",
                         help="pytorch, torchscript, keras, onnx: a tokenizer.json or a SentencePiece model."),
            click.option("--pooling", type=Choice(get_args(Pooling)), metavar="POOLING",
                         help="pytorch, torchscript: how states become one vector, final_states, max, mean, "
                         "last_output or first_and_last_output. infersent: max or mean.  "
                         "[default: final_states; max]"),
            click.option("--vectors", type=_FILE, metavar="FILE",
                         help="infersent: word vectors, .txt (GloVe) or .vec (fastText), or one in .gz or .zip."),
            click.option("--top", type=click.IntRange(min=1), metavar="K",
                         help="infersent: take the K most frequent words.  [default: 100000]"),
            click.option("--words", type=_FILE, metavar="FILE",
                         help="infersent: take the words of the sentences in FILE instead. flair: words to look up as "
                         "flair does, where its vocabulary has digits or capitals."),
            click.option("--spm", type=_FILE, metavar="FILE", help="laser: the SentencePiece model of LASER 2."),
            click.option("--codes", type=_FILE, metavar="FILE", help="laser: the fastBPE codes of LASER 1."),
            click.option("--vocabulary", type=_FILE, metavar="FOLDER",
                         help="allennlp: its vocabulary folder, where SOURCE has none."),
            click.option("--tokenised", is_flag=True,
                         help="infersent, flair, allennlp: sentences will come as tokens with spaces between."),
            click.option("--no-head", "head", is_flag=True, flag_value=False, default=True,
                         help="allennlp, keras: leave out what stands after the pooling."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


@click.command(
    "import",
    context_settings={"max_content_width": 100},
    short_help="Turn an encoder that others trained into a checkpoint.",
)
@click.argument("source", type=_FILE)
@click.option("--out", type=_FILE, required=True, metavar="FOLDER", help="New folder of the checkpoint.")
@_source_options
@click.option("--max-tokens", type=click.IntRange(min=1), metavar="N", help="Cut longer sentences.  [default: 256]")
@click.option("--name", help="The model's name; by default, the format's.")
@click.option("--version", default="1", show_default=True, help="The model's version.")
@click.option("--table", type=Choice(["float32", "float16"]), default="float32", show_default=True,
              help="How token vectors are kept; float16 takes half the room and rounds.")  # fmt: skip
def import_(
    source: Path,
    out: Path,
    format_name: Format | None,
    name: str | None,
    version: str,
    table: Literal["float32", "float16"],
    **given: Any,
) -> None:
    """Turn the encoder in SOURCE into a checkpoint, to be exported and served.

    SOURCE is a file of PyTorch's (a state dict; .pt, .safetensors), TorchScript's, Keras's, InferSent's, LASER's,
    flair's or AllenNLP's, or an ONNX encoder that doctor understands. Nothing in it is run, but an ONNX graph, by
    onnxruntime. What was understood is shown, then the checkpoint written, whole or not at all.

    \b
      bothends import model.pt --tokenizer tokenizer.json --out checkpoint
      bothends import infersent2.pkl --vectors crawl-300d-2M.vec --out checkpoint
      bothends import encoder.onnx --tokenizer tokenizer.json --out checkpoint
      bothends import laser2.pt --spm laser2.spm --out checkpoint
      bothends import model.tar.gz --out checkpoint
    """  # noqa: D301  click takes a backspace for a paragraph that is left as it is
    _check_paths(source, given)

    from rich.console import Console

    from .formats import import_encoder
    from .writer import check_out, write

    check_out(out)
    console = Console()
    options, done = _import_options(given)
    try:
        chosen, found = import_encoder(source, options, format_name=format_name)
    finally:
        done()
    console.print(_understood(source, chosen, found))
    console.print(_tensors(found))
    console.print(_words(found))
    if found.notes:
        console.print(_notes(found.notes))
    written = write(out, found, source=source, format_name=chosen, name=name, version=version, table=table)
    click.echo(f"checkpoint in {out}, {written / 1e6:.1f} MB; next: bothends export {shell_word(out)} --out BUNDLE")


def _check_paths(source: Path, given: dict[str, Any]) -> None:
    """Raise FileError for a path that leads nowhere, before PyTorch is imported or a large file is read."""
    check_exists(source)  # a folder may be AllenNLP's
    for name, path in given.items():
        if isinstance(path, Path):
            (check_exists if name == "vocabulary" else check_file)(path)


def _import_options(given: dict[str, Any]) -> tuple[ImportOptions, Callable[[], None]]:
    """The options as formats read them, with a progress bar for what takes long; and what ends the bar."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    progress = Progress(transient=True, console=console, disable=not console.is_terminal)
    bar = progress.add_task("reading word vectors", total=1)

    def advance(done: float) -> None:
        progress.start()
        progress.update(bar, completed=done)

    return ImportOptions(**given, advance=advance), progress.stop


def _understood(source: Path, chosen: str, found: "ImportedEncoder") -> "Text":
    from rich.text import Text

    sizes = found.encoder
    return Text(
        f"{printable(source.name)}, {chosen}: {sizes.described()}\n"
        f"{sizes.vocabulary_size} tokens of {sizes.embedding_size} numbers; an embedding has {sizes.dimension}; "
        f"sentences are cut at {found.max_tokens} tokens"
    )


def _tensors(found: "ImportedEncoder") -> "Table":
    """Return a table that shows which tensor became which."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("tensor", no_wrap=True)
    table.add_column("from", overflow="fold")
    table.add_column("shape", no_wrap=True, justify="right")
    for name, tensor in sorted(found.weights.items(), key=lambda item: _PARTS.index(item[0].partition(".")[0])):
        table.add_row(name, Text(printable(found.origins.get(name, "zeros"))), " × ".join(map(str, tensor.shape)))
    return table


def _words(found: "ImportedEncoder") -> "Table":
    """Return a table of some tokens, each with its row of the source's table and the first numbers in that row.

    People who know the original can compare: nothing else shows that words have got their neighbours' rows.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("token", no_wrap=True)
    table.add_column("row", justify="right", no_wrap=True)
    table.add_column("begins with", no_wrap=True)
    vectors = found.weights["embedding.weight"]
    for index, token in _handful(found.tokenizer):
        numbers = " ".join(f"{number:.4g}" for number in vectors[index, :_NUMBERS_SHOWN].tolist())
        table.add_row(Text(repr(printable(token.strip()))), str(found.rows[index]), f"{numbers} …")
    return table


def _handful(tokenizer: str) -> list[tuple[int, str]]:
    """The first tokens by id, some between, and the last."""
    import tokenizers

    made = tokenizers.Tokenizer.from_str(tokenizer)
    named = sorted((index, token) for token, index in made.get_vocab(with_added_tokens=True).items())
    places = {0, 1, 2, 3, len(named) // 3, 2 * len(named) // 3, len(named) - 2, len(named) - 1}
    return [named[place] for place in sorted(places) if 0 <= place < len(named)]


def _notes(notes: list[str]) -> "Table":
    """Differences from the original, each as a paragraph."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    for note in notes:
        table.add_row("-", Text(note))
    table.add_row()
    return table

"""`bothends evaluate`: scores a bundle, and prints tables or JSON.

Heavy imports such as scipy are inside the functions, so that `bothends --help` can list the command without them.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from bothends.cli.choice import Choice
from bothends.options import Precision
from bothends.search.pieces import PIECE_WORDS

from .public_sets import SETS

if TYPE_CHECKING:
    from .scoreboard import Scoreboard


def _default_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bothends" / "sets"


def _list_sets(ctx: click.Context, _: click.Parameter, is_given: bool) -> None:
    """Tell where each public set comes from, how large it is, and how it is checked."""
    if is_given and not ctx.resilient_parsing:
        for each in SETS.values():
            checked = "SHA-256" if each.sha256 else "number of lines"
            click.echo(f"{each.name:11} {each.size:32} checked by its {checked}")
            for url in each.urls:
                click.echo(f"{'':11} {url}")
        ctx.exit()


def _places(names: tuple[str, ...], folder: Path, *, fetches: bool) -> list[Path]:
    """Return the paths of the named sets, downloading missing ones if requested."""
    from .fetch import fetch, missing

    wanted = SETS.values() if "all" in names else [SETS[name] for name in dict.fromkeys(names)]
    for each in wanted:
        if fetches:
            fetch(each, folder)
        elif not each.path_in(folder).exists():
            raise missing(each, folder)
    return [each.path_in(folder) for each in wanted]


@click.command(short_help="Score a bundle on sentence pairs, in search and on triples.")
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@click.option(
    "--set",
    "sets",
    type=Choice([*SETS, "all"]),
    multiple=True,
    help="A public test set; --list-sets tells where each comes from.",
)
@click.option("--fetch", "fetches", is_flag=True, help="Fetch those of them that aren't there.")
@click.option(
    "--sets-folder",
    type=click.Path(path_type=Path),
    default=_default_folder,
    help="Folder in which they lie.  [default: bothends/sets in XDG_CACHE_HOME or ~/.cache]",
)
@click.option(
    "--list-sets", is_flag=True, is_eager=True, expose_value=False, callback=_list_sets, help="Tell, and exit."
)
@click.option(
    "--sts",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A file of score⇥sentence⇥sentence.",
)
@click.option(
    "--retrieval",
    "folders",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A folder of documents.tsv, queries.tsv (id⇥text) and relevant.tsv (query⇥document).",
)
@click.option(
    "--hybrid",
    "is_hybrid",
    is_flag=True,
    help="Rank collections by words (BM25) too, alone and together, as bothends search --hybrid does.",
)
@click.option(
    "--pieces",
    "piece_words",
    type=click.IntRange(1),
    is_flag=False,
    flag_value=PIECE_WORDS,
    metavar="[WORDS]",
    help="Search collections by documents' pieces of about so many words too, as bothends search --pieces does; "
    f"{PIECE_WORDS} where no number is given.",
)
@click.option(
    "--triples",
    "triples",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A file of kind⇥sentence⇥same⇥other.",
)
@click.option(
    "--precision",
    "precisions",
    type=Choice(get_args(Precision)),
    multiple=True,
    help="Of the engine; several are compared.  [default: float32; with nothing named, int8 too]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def evaluate(
    bundle: Path | None,
    sets: tuple[str, ...],
    sets_folder: Path,
    *,
    fetches: bool,
    files: tuple[Path, ...],
    folders: tuple[Path, ...],
    is_hybrid: bool,
    piece_words: int | None,
    triples: tuple[Path, ...],
    precisions: tuple[Precision, ...],
    as_json: bool,
) -> None:
    """Print how well BUNDLE's embeddings rank pairs of sentences, find documents, and tell what differs in one word.

    \b
      bothends evaluate                          everything that chose the packaged model
      bothends evaluate BUNDLE                   yours
      bothends evaluate --set sts-b-test --fetch a public test set

    Without BUNDLE the packaged model is scored. Where no set is named, all are scored that choose a model: the pairs
    and triples of a clone of the repository, and of --sets-folder stsb-dev.tsv, sick-dev.tsv, cacm and cisi; what isn't
    there is named. All go the service's own way. A column for each number of dimensions that the bundle offers.
    """  # noqa: D301  click takes a backspace for a paragraph that is left as it is
    from bothends.model.bundle import Bundle, default_path
    from bothends.model.versions import newest
    from bothends.settings import chosen

    from . import judges, scoreboard

    opened = Bundle.open(newest(chosen(bundle) or default_path()))
    placed = _places(sets, sets_folder, fetches=fetches)
    files += tuple(index for index in placed if index.suffix == ".tsv")
    folders += tuple(index for index in placed if index.suffix != ".tsv")
    names_none = not (files or folders or triples)
    found = judges.find(sets_folder) if names_none else judges.read(files, folders, triples)
    if (is_hybrid or piece_words) and not found.collections:
        raise click.UsageError("--hybrid and --pieces are for collections: give --retrieval, or a --set that is one")
    wanted = precisions or _precisions(names_none)
    board = scoreboard.score(opened, found, wanted, is_hybrid=is_hybrid, piece_words=piece_words)
    if as_json:
        click.echo(json.dumps(board.as_json(), ensure_ascii=False))
        return
    _show(board, sets_folder)


def _precisions(is_everything: bool) -> tuple[Precision, ...]:
    """Return float32, and for everything int8 too where an engine here offers it."""
    from bothends.engines.native import is_built

    return ("float32", "int8") if is_everything and is_built() else ("float32",)


def _show(board: "Scoreboard", sets_folder: Path) -> None:
    """Print the tables, and what isn't among them."""
    from rich.console import Console

    click.echo(f"{board.model}, by numbers of an embedding\n")
    console = Console(highlight=False)
    for each in board.renderables():
        console.print(each)
    if board.skipped:
        click.echo(f"Not here, and so not scored: {', '.join(board.skipped)}. Sets are looked for in {sets_folder}.")

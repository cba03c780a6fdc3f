"""`bothends search`: the rows of a file that are nearest to queries, by meaning, or by meaning and words."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import click
import numpy as np
from numpy.typing import NDArray

from ..bulk.rows import Row, row
from ..errors import SettingsError
from ..search import Hits, WordIndex, hybrid, nearest
from ..search.index import neighbour_graph
from ..search.pieces import PIECE_WORDS
from ..text import printable
from .grouped import GroupedCommand, given, option, options
from .indexed import Indexed, index_options, opened, shortened

_AT_ONCE = 256
"""Queries of a pipe that are answered together."""
_SCORE = 7
_SHOWN_QUERY = 40
_search_options = options(
    option("Search", "--top", default=10, show_default=True, type=click.IntRange(1), metavar="N",
           help="How many rows to find for a query."),
    option("Search", "--hybrid", "is_hybrid", is_flag=True,
           help="Rank by words too (BM25, English), so that names, numbers and rare terms are found."),
    option("Search", "--pieces", "piece_words", default=PIECE_WORDS, show_default=True, type=click.IntRange(0),
           metavar="WORDS", help="Rank a longer row by its best piece of about so many words too; 0: by the whole "
           "alone. A piece takes what a row takes."),
    option("Search", "--approximate", "is_approximate", is_flag=True,
           help="Follow a graph of neighbours (faiss) instead of looking at every row, and miss a few. It is made "
           "once, in minutes, and kept by --index."),
    option("Search", "--json", "as_json", is_flag=True, help="Print one JSON object for each query."),
    option("A file", "--keep", multiple=True, metavar="COLUMN",
           help="A column to show beside what is found; may be given several times."),
)  # fmt: skip
_Find: TypeAlias = Callable[[NDArray[np.float32], Sequence[str]], Hits]


@click.command(cls=GroupedCommand, short_help="Find the rows of a file that are nearest to queries.")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("queries", nargs=-1)
@_search_options
@index_options
@click.pass_context
def search(
    ctx: click.Context,
    /,
    file: Path,
    queries: tuple[str, ...],
    top: int,
    is_hybrid: bool,
    piece_words: int,
    is_approximate: bool,
    as_json: bool,
    keep: tuple[str, ...],
    **flags: Any,
) -> None:
    """Find the rows of FILE that are nearest to each of QUERIES in meaning.

    \b
      bothends search notes.txt "pets that are scared" --top 3
      bothends search reviews.csv --keep id --index reviews.index "arrived broken"
      bothends search notes.txt - < questions.txt

    FILE is .txt (a sentence a line), .csv, .tsv, .jsonl, also .gz, or .parquet. - stands for queries on standard input,
    one a line; without any they are asked for.

    Every row is looked at, so nothing is missed: once a million rows are embedded, a query takes about a second, and
    one of many at once a tenth of that. Scores are cosines, of a row longer than a piece the mean of its own and its
    best piece's, and with --hybrid sums of standard scores. There is always a nearest row, also where nothing fits.
    """  # noqa: D301  click takes a backspace for a paragraph that is left as it is
    if "-" in queries and len(queries) > 1:
        raise SettingsError("- stands for all queries: give it alone")
    for flag, is_given in (("--hybrid", is_hybrid), ("--pieces", piece_words and "piece_words" in given(ctx))):
        if is_approximate and is_given:
            raise SettingsError(f"{flag} looks at every row, and --approximate at few; give one of them")
    _check_queries(queries)
    _check_installed(is_hybrid=is_hybrid, is_approximate=is_approximate)
    words = None if is_approximate else piece_words or None
    with opened(ctx, file, keep=keep, piece_words=words, **flags) as index:
        click.echo(_told(index, words, is_hybrid=is_hybrid, is_approximate=is_approximate), err=True)
        find = _finder(index, top, is_hybrid=is_hybrid, is_approximate=is_approximate)
        for asked in _batches(queries):
            hits = find(_embedded(index, asked), asked)
            picked = index.file.pick(hits.rows.ravel().tolist())
            for place, query in enumerate(asked):
                ranked = zip(hits.rows[place].tolist(), hits.scores[place].tolist(), strict=True)
                found = [(number, score) for number, score in ranked if number >= 0]
                lines = [_as_json(query, found, picked, keep)] if as_json else _table(index, query, found, picked)
                click.echo("\n".join(lines))
            sys.stdout.flush()


def _check_queries(queries: Sequence[str]) -> None:
    """Raise SettingsError for a query that no model can embed, before a file is embedded for it."""
    for query in queries:
        if (problem := row(query).problem) is not None:
            raise SettingsError(f"the query {printable(query[:_SHOWN_QUERY])!r} {problem}")


def _check_installed(*, is_hybrid: bool, is_approximate: bool) -> None:
    """Raise ModuleNotFoundError for a package that the search will need, before a file is embedded."""
    for name in ["bm25s", "Stemmer"] * is_hybrid + ["faiss"] * is_approximate:
        import_module(name)


def _batches(queries: Sequence[str]) -> Iterator[list[str]]:
    """Yield the queries that are answered together; at a terminal, one at a time."""
    if queries and queries != ("-",):
        yield list(queries)
    elif sys.stdin.isatty():
        while query := click.prompt("query (empty: end)", default="", show_default=False, err=True).strip():
            yield [query]
    else:
        lines = (line for line in map(str.strip, sys.stdin) if line)
        while several := list(islice(lines, _AT_ONCE)):
            yield several


def _finder(index: Indexed, top: int, *, is_hybrid: bool, is_approximate: bool) -> _Find:
    """Return the function that finds rows for queries, given as their vectors and their texts."""
    if is_hybrid:
        words = WordIndex(index.file.texts())
        return lambda vectors, texts: hybrid(index.vectors, vectors, words, texts, top=top, pieces=index.pieces)
    if is_approximate:
        graph = neighbour_graph(index.folder, index.vectors, say=partial(click.echo, err=True))
        return lambda vectors, _: graph.nearest(vectors, top=top)
    return lambda vectors, _: nearest(index.vectors, vectors, top=top, pieces=index.pieces)


def _told(index: Indexed, words: int | None, *, is_hybrid: bool, is_approximate: bool) -> str:
    """Return a line that says what is searched, and how."""
    pieces = ""
    if index.pieces is not None:
        longer, count = np.count_nonzero(np.diff(index.pieces)), index.pieces[-1] - index.pieces[0]
        pieces = f", {longer:,} of them also in {count:,} pieces of about {words} words"
    way = "meaning and words" if is_hybrid else "meaning, approximately" if is_approximate else "meaning"
    return f"{index.embedded:,} {'row' if index.embedded == 1 else 'rows'}{pieces}; ranked by {way}"


def _embedded(index: Indexed, queries: list[str]) -> NDArray[np.float32]:
    """Embed queries. Raises SettingsError for one that can't be."""
    _check_queries(queries)
    found, problems = index.engine.embed(queries)
    for place, problem in problems.items():
        raise SettingsError(f"the query {printable(queries[place][:_SHOWN_QUERY])!r} {problem}")
    assert found is not None  # noqa: S101  all were embedded
    vectors: NDArray[np.float32] = found.rows
    return vectors


def _as_json(query: str, found: list[tuple[int, float]], picked: dict[int, Row], keep: tuple[str, ...]) -> str:
    hits = [
        {
            "row": number,
            "score": score,
            "text": picked[number].text,
            **dict(zip(keep, picked[number].kept, strict=True)),
        }
        for number, score in found
    ]
    return json.dumps({"query": query, "hits": hits}, default=str, ensure_ascii=False)


def _table(index: Indexed, query: str, found: list[tuple[int, float]], picked: dict[int, Row]) -> list[str]:
    """Return a line for the query, and one for each row with its score, row number and text, cut to the terminal."""
    places = [index.name(number) for number, _ in found]
    width = max(map(len, places), default=0)
    lines = [click.style(shortened(query, indent=0), bold=True)]
    for place, (number, score) in zip(places, found, strict=True):
        kept = "".join(f"{value}  " for value in picked[number].kept)
        text = shortened(f"{kept}{picked[number].text}", indent=_SCORE + width + 4)
        lines.append(f"{score:{_SCORE}.2f}  {place:>{width}}  {text}")
    return [*lines, ""]

"""Uses a tokenizer.json as it is, after checking that it loads and that each row of the table belongs to a token.

It changes nothing in the file.
"""

from collections.abc import Collection
from pathlib import Path

import tokenizers

from bothends.text import printable

from .definition import Tokenising, TokenisingError, must_load
from .rows import OF_PIECES, must_name_each_row
from .vocabulary import text_of

_PROBES = ("", "a", "A b, c.\n")


def read_tokenizer(path: Path, *, rows: int, unused: Collection[int] = ()) -> Tokenising:
    """Read a tokenizer.json in which id i is row i of a table with `rows` rows; those in `unused` have no token.

    Raises TokenisingError, naming the file and a token or a row, if it can't be used, has ids that the table lacks (for
    example of special tokens that were added after training), or lacks tokens of rows.
    """
    definition = text_of(path)
    try:
        tokenizer = must_load(definition)
    except TokenisingError as error:
        raise TokenisingError(f"{path}: {error}") from error
    ids = tokenizer.get_vocab(with_added_tokens=True)
    if not ids:
        raise TokenisingError(f"{path}: its vocabulary is empty")
    _must_fit(tokenizer, ids, path, rows=rows)
    must_name_each_row(ids, path, rows=rows, unused=unused, causes=OF_PIECES)
    return Tokenising(definition, list(range(max(ids.values()) + 1)))


def _must_fit(tokenizer: tokenizers.Tokenizer, ids: dict[str, int], path: Path, *, rows: int) -> None:
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    outside = sorted((index, token) for token, index in ids.items() if index >= rows)
    if outside:
        index, token = next((pair for pair in outside if pair[1] in added), outside[0])
        how = "adds" if token in added else "has"
        raise TokenisingError(
            f"{path} {how} the token {printable(token)!r} with id {index}; the table has rows 0 to {rows - 1}"
            + (", so the encoder never learnt it: take it out of added_tokens" if token in added else "")
        )
    # What a post-processor sets around a text need not be in the vocabulary.
    for text in _PROBES:
        if unknown := [index for index in tokenizer.encode(text).ids if index not in ids.values()]:
            raise TokenisingError(f"{path} sets a token of id {unknown[0]} around a text, which its vocabulary lacks")

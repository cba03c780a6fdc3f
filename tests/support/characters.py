"""What becomes of characters, by a table: for native tokenizers that know few."""

from collections.abc import Callable, Mapping

Becomes = str | tuple[tuple[int, str], ...]


def asking(characters: Mapping[str, Becomes]) -> Callable[[int], list[tuple[Becomes | None, bool]]]:
    """Return what a native tokenizer asks: `characters` is all that is known, and letters and digits are words'."""

    def ask(first: int) -> list[tuple[Becomes | None, bool]]:
        block = map(chr, range(first, first + 256))
        return [(characters.get(character), character.isalnum()) for character in block]

    return ask

"""Writes a part of a recipe's held-out pairs, with the first teacher's cosines, so that whoever has no teacher can
score an encoder by them too:

    python -m bothends_training.make_held_out training/recipes/english.toml checkpoints/teachers \
        training/dev/held-out.tsv.xz

`kind⇥cosine⇥sentence⇥sentence` a line, COUNT a kind, of the pairs that training itself is scored on.
"""

import lzma
import re
import sys
from pathlib import Path

from . import recipe
from .corpus import place
from .dataset import held_out_sentences, student_tokenizer
from .errors import RecipeError
from .evaluate import Pairs
from .held_out import judged
from .make_triples import COARSE
from .teacher import Teacher

COUNT = 300
"""Pairs of each kind; the file stays below 300 kB."""


def lines(pairs: Pairs, count: int) -> list[str]:
    """Lines of up to `count` of the pairs, as good as drawn by chance, none with a coarse word."""
    found = zip(pairs.scores, pairs.first, pairs.second, strict=True)
    fit = [(score, one, other) for score, one, other in found if not re.search(COARSE, f"{one} {other}")]
    drawn = sorted(fit, key=lambda pair: place(f"{pair[1]}\t{pair[2]}"))[:count]
    return [f"{pairs.name}\t{score:.3f}\t{one}\t{other}\n" for score, one, other in sorted(drawn)]


def main(path: Path, cache: Path, out: Path) -> None:
    """Write the pairs of the recipe's held-out sentences to `out`; the teacher embeds what `cache` doesn't hold."""
    plan = recipe.read(path)
    if plan.held_out is None:
        raise RecipeError(f"{path} holds out no sentences")
    folder = path.resolve().parent
    tokenizer, _ = student_tokenizer(plan, folder, cache)
    pairs = judged(held_out_sentences(plan, folder, tokenizer), Teacher(plan.teachers[0], folder, cache), cache)
    with lzma.open(out, "wt", encoding="utf-8", preset=9 | lzma.PRESET_EXTREME) as file:
        file.writelines(line for found in pairs for line in lines(found, COUNT))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))

"""Public test sets with which `bothends evaluate` scores a bundle: where each comes from, and how its original is read.

No model learns from them, and no recipe is chosen by them. They aren't part of this repository; `fetch` downloads them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from .originals import Files, semeval_archive, sick_text, smart_archive, stsb_table


@dataclass(frozen=True, slots=True)
class PublicSet:
    """Test set as its publishers, or a public copy, provide it."""

    name: str
    kind: Literal["pairs", "collection"]
    urls: tuple[str, ...]
    """Addresses of the original; where the first doesn't answer, the next is asked."""
    read: Callable[[bytes], Files]
    """What makes our files of the original's bytes."""
    counts: dict[str, int]
    """Lines that each of our files must have."""
    sha256: str | None = None
    """Hash of the original, where others have published it; else the counts alone tell whether it is the right one."""

    def path_in(self, folder: Path) -> Path:
        """Return where this test set is kept in `folder`: a .tsv file for sentence pairs, a folder for a retrieval
        collection.
        """
        return folder / (f"{self.name}.tsv" if self.kind == "pairs" else self.name)

    @property
    def size(self) -> str:
        """Size for people: its number of pairs, or of documents and questions."""
        if self.kind == "pairs":
            return f"{self.counts['']:,} pairs"
        return f"{self.counts['documents.tsv']:,} documents, {self.counts['queries.tsv']} questions"


def _semeval(year: int, pairs: int, path: str) -> PublicSet:
    file = f"stswiki/images/{path}/STS20{year}-en-test.zip"
    urls = tuple(f"http://ixa2.si.ehu.{domain}/{file}" for domain in ("eus", "es"))
    return PublicSet(f"sts{year}", "pairs", urls, semeval_archive, {"": pairs})


def _glasgow(name: str, files: tuple[str, str, str], documents: int, queries: int, relevant: int) -> PublicSet:
    counts = {"documents.tsv": documents, "queries.tsv": queries, "relevant.tsv": relevant}
    urls = (f"http://ir.dcs.gla.ac.uk/resources/test_collections/{name}/{name}.tar.gz",)
    return PublicSet(name, "collection", urls, partial(smart_archive, names=files), counts)


_GITHUB = "https://raw.githubusercontent.com"
SETS = {
    each.name: each
    for each in (
        PublicSet(
            "sts-b-test",
            "pairs",
            (f"{_GITHUB}/PhilipMay/stsb-multi-mt/main/data/stsb-en-test.csv",),
            stsb_table,
            {"": 1379},
            sha256="11523b625219e94e9ca05d2816b5f02cac1614c5894fe657376fa0806378d053",
        ),
        PublicSet(
            "sick-test",
            "pairs",
            (f"{_GITHUB}/brmson/dataset-sts/master/data/sts/sick2014/SICK_test_annotated.txt",),
            sick_text,
            {"": 4927},
        ),
        _semeval(12, 3108, "4/40"),
        _semeval(13, 1500, "2/2f"),
        _semeval(14, 3750, "8/8c"),
        _semeval(15, 3000, "d/da"),
        _semeval(16, 1186, "9/98"),
        _glasgow("cacm", ("cacm.all", "query.text", "qrels.text"), 3204, 52, 796),
        _glasgow("cisi", ("CISI.ALL", "CISI.QRY", "CISI.REL"), 1460, 76, 3114),
    )
}
"""By name. STS-B's hash is the one that Hugging Face's datasets library had for this file (stsb_multi_mt)."""

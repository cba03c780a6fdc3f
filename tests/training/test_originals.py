"""Test sets as their owners write them: small originals of each kind, and the lines that they become."""

import io
import tarfile
import zipfile

import pytest

from bothends_training.originals import semeval_archive, sick_text, smart_archive


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def tarred(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode("latin-1"))
            archive.addfile(member, io.BytesIO(text.encode("latin-1")))
    return content.getvalue()


def test_sick() -> None:
    """Relatedness is the score; the heading and the entailment are left out."""
    heading = "pair_ID\tsentence_A\tsentence_B\trelatedness_score\tentailment_judgment"
    original = f"{heading}\r\n6\tThere is no boy\tA boy is here\t3.3\tCONTRADICTION\r\n"
    assert sick_text(original.encode()) == {"": ["3.3\tThere is no boy\tA boy is here"]}


def test_semeval() -> None:
    """Sources one after the other; without a score a pair wasn't judged, without sentences a source isn't there."""
    original = zipped({
        "test/STS.input.OnWN.txt": "one\tother\n\ttabs are columns\n",
        "test/STS.gs.OnWN.txt": "5.000\n\n",
        "test/STS.gs.SMT.txt": "1\n",
        "test/STS.gs.ALL.txt": "9\n",
        "v1.0/STS2016.input.headlines.txt": "a  b\tc\tfrom somewhere\tfrom elsewhere\r\nnot judged\tnor this\t\t\n",
        "v1.0/STS2016.gs.headlines.txt": "2\r\n\n",
        "__MACOSX/._STS.input.OnWN.txt": "\x00",
    })  # fmt: skip
    assert semeval_archive(original) == {"": ["5\tone\tother", "2\ta b\tc"]}


def test_smart() -> None:
    """A document is its title and abstract on one line, without authors; questions without an answer are left out."""
    first = ".I 1\n.T\nA  title\n.A\nAuthor\n.W\nAn abstract\nof two lines.\n.X\n1 5 1\n"
    original = tarred({
        "./cisi/CISI.ALL": f"{first}.I 2\n.T\nTitle alone\n",
        "./cisi/CISI.QRY": ".I 1\n.W\nWhat?\n\n.I 2\n.T\nPaper\n.W\nNobody answers.\n",
        "./cisi/CISI.REL": "  01  2\t0\t0.0\n  1  2  0 0\n 01  1 0 0\n",
    })  # fmt: skip
    assert smart_archive(original, names=("CISI.ALL", "CISI.QRY", "CISI.REL")) == {
        "documents.tsv": ["1\tA title An abstract of two lines.", "2\tTitle alone"],
        "queries.tsv": ["1\tWhat?"],
        "relevant.tsv": ["1\t2", "1\t1"],
    }


def test_a_file_that_is_far_larger_than_its_archive_is_refused() -> None:
    """Originals come from the web: a few kilobytes may unpack to gigabytes."""
    blown_up = zipped({"STS.input.OnWN.txt": "a" * (16 << 20) + "a", "STS.gs.OnWN.txt": "5\n"})
    with pytest.raises(ValueError, match="more than 16,777,216 bytes"):
        semeval_archive(blown_up)

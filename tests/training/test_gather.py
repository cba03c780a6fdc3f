"""Documents out of manuals, dictionaries and shuffled sentences."""

import gzip
from pathlib import Path

import numpy as np

from bothends_training.gather.debian import dictionary, manual
from bothends_training.gather.passages import LONGEST, SHORTEST, documents, is_prose, passages, sentences
from bothends_training.gather.related import leaves
from bothends_training.gather.sections import sections

PAGE = """<html><head><title>x</title></head><body><nav>Home</nav><h1>1.2. Birds¶</h1>
<p>Birds <b>sing</b>.</p><p>They
fly.</p><pre>code()</pre><table><tr><td>1</td></tr></table><h2>Nests</h2><ul><li>Made of twigs.</li></ul>
</body></html>"""


def test_a_page_becomes_paragraphs_under_headings() -> None:
    """Numbers and marks of headings go, and so do code, tables and what leads through a site."""
    assert list(sections(PAGE)) == [("Birds", ["Birds sing.", "They fly."]), ("Nests", ["Made of twigs."])]
    page = "<page><info><desc>x</desc></info><title>Birds</title><p>They fly.</p></page>"
    assert list(sections(page, mallard=True))[-1] == ("Birds", ["They fly."])


def test_a_manual_is_its_english_pages(tmp_path: Path) -> None:
    """Pages in other languages are left out, compressed ones read."""
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "one.html").write_text("<h1>Vögel</h1><p>Sie fliegen.</p>")
    (tmp_path / "two.fr.html").write_text("<h1>Oiseaux</h1><p>Ils volent.</p>")
    (tmp_path / "three.en.html").write_text("<h1>Birds</h1><p>They fly.</p>")
    (tmp_path / "four.html.gz").write_bytes(gzip.compress(b"<h1>Fish</h1><p>They swim.</p>"))
    assert sorted(manual(tmp_path)) == [("Birds", ["They fly."]), ("Fish", ["They swim."])]


def test_a_dictionary_is_read_by_its_index(tmp_path: Path) -> None:
    """Offsets are in dictd's base 64; two headwords of one entry are one, and how a word is said is left out."""
    texts = [
        "bird\n   \\\\Bird\\\\, n. [OE. brid.]\n   An animal that {flies}. [1913 Webster]\n",
        "fish\n  It swims.\n",
    ]
    (tmp_path / "toy.dict.dz").write_bytes(gzip.compress("".join(texts).encode()))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

    def digits(number: int) -> str:
        return (digits(number // 64) if number >= 64 else "") + alphabet[number % 64]

    first, second = (digits(len(text)) for text in texts)
    (tmp_path / "toy.index").write_text(
        f"00databaseshort\tA\t{first}\nbird\tA\t{first}\nbirds\tA\t{first}\nfish\t{first}\t{second}\n"
    )
    found = dict(dictionary(tmp_path))
    assert found.keys() == {"bird", "fish"}
    assert found["fish"] == ["It swims."]
    assert "An animal that flies." in found["bird"][0]
    assert "Webster" not in found["bird"][0]
    assert "brid" not in found["bird"][0]


def test_passages_are_whole_sentences_of_a_fit_length() -> None:
    """Neighbours are joined in their order up to a length that differs from passage to passage; short rests go."""
    said = [f"This is sentence {number} and it has exactly eleven words in it." for number in range(300)]
    found = list(passages([" ".join(said[:150]), " ".join(said[150:])]))
    assert [sentence for passage in found for sentence in sentences(passage)] == said[
        : sum(map(len, map(sentences, found)))
    ]
    counts = [len(passage.split()) for passage in found]
    assert min(counts) >= SHORTEST
    assert max(counts) <= LONGEST
    assert len(set(counts)) > 3
    assert list(passages(["Too short."])) == []


def test_abbreviations_end_no_sentence() -> None:
    """A capital behind "e.g." or an initial begins no sentence."""
    assert sentences("See J. Smith, e.g. Fig. 3. It helps. Does it?") == [
        "See J. Smith, e.g. Fig. 3.",
        "It helps.",
        "Does it?",
    ]


def test_documents_are_prose_and_none_twice() -> None:
    """Lists of links and repeated passages are left out; titles that are whole paragraphs too."""
    text = "The bird that sang in the tree by the river is the one that you can hear from the house on the hill. " * 1
    text += "It is small and it has a red breast, and in the winter it comes to the window for the crumbs."
    found = list(documents("toy", [("Birds", [text]), ("Again", [text]), ("x " * 30, [text[4:]])], max_documents=9))
    assert [(document.title, document.passage) for document in found] == [("Birds", text), ("", text[4:])]
    assert len(list(documents("toy", [("Birds", [text]), ("x", [text[4:]])], max_documents=1))) == 1
    assert not is_prose("Download Install Configure Upgrade Remove Search Settings Profile Account Help Contact " * 2)


def test_leaves_hold_near_vectors() -> None:
    """Each vector is in one leaf of at most the size asked for, and clusters far apart are never mixed."""
    random = np.random.default_rng(1)
    centres = 20 * random.standard_normal((8, 16))
    vectors = (np.repeat(centres, 8, axis=0) + random.standard_normal((64, 16))).astype(np.float32)
    found = list(leaves(vectors, 8))
    assert sorted(np.concatenate(found).tolist()) == list(range(64))
    assert max(map(len, found)) <= 8
    assert sum(len(set((leaf // 8).tolist())) == 1 for leaf in found) >= 6

"""Offers of each front, asked of each of them; docs/api.md's table must say what they answered."""

import base64
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from bothends import Encoder
from bothends.model.bundle import Bundle
from bothends.options import encoded
from bothends.server.server import Server
from tests.support.fronts import REFUSED, Front, Ollama, OpenAI, Tei, Unary, fronts_of, works
from tests.support.paths import ROOT

API = ROOT / "docs" / "api.md"
LONG = "there will be dragons " * 100
BAD = " "
ENCODINGS = {"float32": "float32", "float16": "float16", "int8": "int8", "sign_bits": "sign bits"}


def yes(holds: bool) -> str:
    return "yes" if holds else "no"


def token_ids(front: Front) -> str:
    return yes(works(front, [[2045, 2097]]))


def too_long(front: Front) -> str:
    """Return what becomes of a long sentence if nothing is said."""
    if not works(front, [LONG]):
        return "refused"
    left = front.ask([LONG]).rows[0]
    return "cut, its start kept" if (left == front.ask([LONG], truncation="start").rows[0]).all() else "cut"


def too_long_if_asked(front: Front) -> str:
    kept = [side for side in ("start", "end", "pieces") if works(front, [LONG], truncation=side)]
    refused = not works(front, [LONG], truncation="error")
    return ", ".join([*kept, *(["refused"] if refused else [])])


def unit(front: Front) -> str:
    if float(np.linalg.norm(front.ask(["dragons"]).rows[0])) == pytest.approx(1, abs=1e-5):
        return "unless refused" if works(front, ["dragons"], normalize=False) else "always"
    assert float(np.linalg.norm(front.ask(["dragons"], normalize=True).rows[0])) == pytest.approx(1, abs=1e-5)
    return "if asked"


def dimensions(front: Front) -> str:
    return yes(front.ask(["dragons"], dimensions=64).rows[0].shape == (64,) and not works(front, ["a"], dimensions=100))


def encodings(front: Front) -> str:
    if isinstance(front, OpenAI | Tei):
        front.ask(["dragons"], encoding_format="float")
        in_base64 = [ENCODINGS[name] for name in ENCODINGS if in_base64_of(front, name)]
        return f"float32, as numbers; {', '.join(in_base64)}, as base64"
    found = {word for name, word in ENCODINGS.items() if works(front, ["dragons"], encoding=name)}
    return ", ".join(word for word in ENCODINGS.values() if word in found | {"float32"})


def in_base64_of(front: OpenAI | Tei, encoding: str) -> bool:
    """Whether a front has base64 of an encoding: its bytes, as they are in Python."""
    written_as = "base64" if encoding == "float32" else encoding
    path, name = ("/v1/embeddings", "input") if isinstance(front, OpenAI) else ("/embed", "inputs")
    answer = front.http.post(path, json={name: ["dragons"], "encoding_format": written_as}).json()
    found = answer["data"][0]["embedding"] if isinstance(front, OpenAI) else answer[0]
    rows = encoded(front.ask(["dragons"]).rows[0][np.newaxis], encoding)[0]  # type: ignore[arg-type]
    return base64.b64decode(found) == rows.tobytes()


def bad_sentence(front: Front) -> str:
    try:
        found = front.ask(["fine", BAD, "good"])
    except REFUSED:
        return "its request"
    assert sorted(found.rows) == [0, 2]
    return "itself"


def tokens_told(front: Front) -> str:
    found = front.ask(["there will", "dragons"])
    if found.tokens == [2, 1]:
        return "of each"
    return "in sum" if found.tokens == 3 else "no"


def cuts_told(front: Front) -> str:
    truncated = front.ask(["dragons", LONG], truncation="start").truncated
    return "how many" if truncated == 1 else yes(truncated == [False, True])


def version_told(front: Front) -> str:
    return yes(bool(front.ask(["dragons"]).version))


FEATURES: dict[str, Callable[[Front], str]] = {
    "token ids instead of text": token_ids,
    "a sentence that is too long": too_long,
    "… if asked": too_long_if_asked,
    "scaled to length 1": unit,
    "fewer dimensions": dimensions,
    "written as": encodings,
    "a bad sentence fails": bad_sentence,
    "tells tokens read": tokens_told,
    "tells what was cut": cuts_told,
    "tells the model's version": version_told,
}


@pytest.fixture(scope="module")
def fronts(server: Server, english: Bundle) -> Iterator[list[Front]]:
    with fronts_of(server) as found, Encoder.load(english.path, workers=1) as encoder:
        yield [*found, Unary(encoder)]


@pytest.mark.filterwarnings("ignore::bothends.TruncationWarning")
def test_the_table_of_fronts_says_what_they_do(fronts: list[Front]) -> None:
    """Each cell is an answer of a running server, or of the model in this process."""
    lines = ["| | " + " | ".join(front.name for front in fronts) + " |", "|---" * (len(fronts) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(probe(front) for front in fronts) + " |" for name, probe in FEATURES.items()]
    table = "\n".join(lines)
    assert table in API.read_text(), f"docs/api.md should have\n{table}"


def test_all_fronts_give_the_same_numbers(fronts: list[Front]) -> None:
    """Rows are the same to the last bit, in company too; some have length 1, others where it is asked for."""
    sentences = ["there will be dragons", "no", "a man plays the guitar"] * 5
    rows = set()
    for front in fronts:
        asked = {} if isinstance(front, OpenAI | Ollama) else {"normalize": True}
        rows.add(np.stack(list(front.ask(sentences, **asked).rows.values())).astype("<f4").tobytes())
    assert len(rows) == 1

"""The attacks, by name."""

from collections.abc import Mapping

from .asks import embed, openai, tei, words
from .beside import Bars, Beside
from .flood import Flood

_ONE = ("the old woman sings of a quiet river and dragons by the stone sea",)
_SINGLE = {"http": tei(_ONE), "grpc": embed(_ONE)}
_LIST_OF_32 = {"http": tei(_ONE * 32), "grpc": embed(_ONE * 32)}
_LETTERS = ("a",) * 1024
_THOUSAND = ("a man plays the guitar",) * 1000
_UNREAD = {
    "tei": ("http", tei(_LETTERS), "10, 1, then no answer in 2.5 s each; newcomers time out"),
    "openai": ("http", openai(_LETTERS), "newcomers time out"),
    "embed": ("grpc", embed(_LETTERS), "newcomers time out"),
}


def _attacks() -> Mapping[str, Beside]:
    found: dict[str, Beside] = {}
    for kind, (door, ask, before) in _UNREAD.items():
        for keyed in (False, True):
            found[f"unread-{kind}{'-keyed' if keyed else ''}"] = Beside(
                Flood(ask, connections=400, in_flight=3, reads=False),
                _SINGLE[door],
                Bars(p50_ratio=3, p99_ms=20, newcomer_ms=100),
                before=before,
                is_keyed=keyed,
            )
    for kind, sentences in (("letters", _LETTERS), ("words", words(1024))):
        for door, make in (("http", tei), ("grpc", embed)):
            found[f"lists-of-{kind}-{door}"] = Beside(
                Flood(make(sentences), connections=16),
                _SINGLE[door],
                Bars(p50_ratio=3, p99_ms=10),
                before="–",
            )
    for door, make in (("http", tei), ("grpc", embed)):
        found[f"two-lists-{door}"] = Beside(
            Flood(make(_THOUSAND), connections=2), _SINGLE[door], Bars(p50_ratio=None, p99_ms=10), before="–"
        )
        found[f"200-lists-{door}"] = Beside(
            Flood(make(_THOUSAND), connections=100, in_flight=2), _SINGLE[door], Bars(None, p99_ms=20), before="–"
        )
    return found


ATTACKS = _attacks()

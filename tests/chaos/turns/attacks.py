"""The attacks, by name."""

from collections.abc import Iterator, Mapping

from bothends.kserve.v2.inference_pb2 import ModelInferRequest

from .asks import embed, explain, infer, openai, tei, words
from .beside import ATTACKER, NEIGHBOUR, Bars, Beside
from .bomb import Bomb
from .flood import Flood
from .gateway import ThroughGateway
from .outcome import Attack
from .two_models import TwoModels

InferRequestedOutputTensor = ModelInferRequest.InferRequestedOutputTensor
_ONE = ("the old woman sings of a quiet river and dragons by the stone sea",)
_SINGLE = {"http": tei(_ONE), "grpc": embed(_ONE)}
_LETTERS = ("a",) * 1024
_THOUSAND = ("a man plays the guitar",) * 1000
_UNREAD = {
    "tei": ("http", tei(_LETTERS), "10, 1, then no answer in 2.5 s each; p50 0.48 ms → 4.6 s; newcomers time out"),
    "openai": ("http", openai(_LETTERS), "8 answers in 5 s; newcomers 2.7 s"),
    "embed": ("grpc", embed(_LETTERS), "8 answers in 5 s; a call 4.7 s"),
}


def _unread() -> Iterator[tuple[str, Attack]]:
    for kind, (door, ask, before) in _UNREAD.items():
        flood = Flood(ask, connections=400, in_flight=3, reads=False)
        bars = Bars(p50_ratio=3, p99_ms=20, newcomer_ms=100)
        for keyed in (False, True):
            beside = Beside(flood, _SINGLE[door], bars, before, keyed, leaves="call_parked")
            yield f"unread-{kind}{'-keyed' if keyed else ''}", beside
        if door == "http":
            beside = Beside(flood, _SINGLE[door], bars, before, leaves="call_parked")
            yield f"unread-{kind}-by-gateway", ThroughGateway(beside)


def _lists() -> Iterator[tuple[str, Attack]]:
    for door, make in (("http", tei), ("grpc", embed)):
        for kind, sentences in (("letters", _LETTERS), ("words", words(1024))):
            flood = Flood(make(sentences), connections=16)
            yield f"lists-of-{kind}-{door}", Beside(flood, _SINGLE[door], Bars(p50_ratio=3, p99_ms=10), "p99 55–360 ms")
        two, many = Flood(make(_THOUSAND), connections=2), Flood(make(_THOUSAND), connections=100, in_flight=2)
        yield f"two-lists-{door}", Beside(two, _SINGLE[door], Bars(None, p99_ms=10), "p99 8–14 ms")
        yield f"200-lists-{door}", Beside(many, _SINGLE[door], Bars(None, p99_ms=20), "p99 83–140 ms")


def _costly() -> Iterator[tuple[str, Attack]]:
    costly = {
        "infer-id": (infer(id="x" * 2000), "–"),
        "infer-long-id": (infer(id="x" * 4_000_000), "p50 85–130 ×"),
        "infer-outputs": (infer(outputs=[InferRequestedOutputTensor()] * 300_000), "–"),
        "gzip-words": (embed(words(1024) * 500, is_gzipped=True), "p50 37–39 ×"),
    }
    for kind, (ask, before) in costly.items():
        for door, single in _SINGLE.items():
            yield f"{kind}-{door}", Beside(Flood(ask, connections=4, in_flight=16), single, Bars(), before)
    bombs = {"hpack-bomb": Bomb(4000), "hpack-bomb-again": Bomb(4000, pieces=4), "hpack-key-again": Bomb(33, pieces=4)}
    for kind, bomb in bombs.items():
        for where, source, ratio in (("", NEIGHBOUR, 3), ("-same-address", ATTACKER, 10)):
            flood = Flood(bomb, connections=1)
            left = "rested_in_vain"
            yield f"{kind}{where}", Beside(flood, _SINGLE["grpc"], Bars(ratio), "p50 1 ×", source=source, leaves=left)


def _busy() -> Iterator[tuple[str, Attack]]:
    floods = {
        "explain": (Flood(explain("a " * 128), connections=120), "a single 21–70 ×"),
        "140-lists-of-32": (Flood(tei(_ONE * 32), connections=140), "a list 0.9 s"),
        "140-lists-of-256": (Flood(tei(_ONE * 256), connections=140), "a list 2 s"),
    }
    for kind, (flood, before) in floods.items():
        for who, ask in {**_SINGLE, "lists": embed(_ONE * 32)}.items():
            yield f"{kind}-{who}", Beside(flood, ask, Bars(), before)
    for door, single in _SINGLE.items():
        many = Flood(single, connections=250, in_flight=4)  # a thousand calls at once, in all of a transport's shards
        yield f"1000-singles-{door}", Beside(many, single, Bars(None, p99_ratio=3), "–")


def _loads() -> Iterator[tuple[str, Attack]]:
    for where, source in (("", NEIGHBOUR), ("-same-address", ATTACKER)):
        yield f"slow-model{where}", TwoModels(16, 0.45, "0.08 of its rate", source=source)


ATTACKS: Mapping[str, Attack] = dict([*_unread(), *_lists(), *_costly(), *_busy(), *_loads()])

"""A transport that embeds without Python, by an encoder of few numbers and a tokenizer of few words."""

import threading
from typing import Any

import numpy as np
from bothends_native import engine, transport, wordpiece
from numpy.typing import NDArray

from bothends.core.long_texts import in_pieces, mean_of_pieces
from bothends.embeddings import Embeddings
from bothends.options import Encoding
from bothends.v1.embedding_pb2 import EmbedRequest
from bothends.wire.messages import options
from tests.support.characters import asking
from tests.support.until import TIMEOUT_S

from .raw import ECHO
from .served import Served

HIDDEN, EMBEDDING, MAX_TOKENS = 8, 6, 5
WORDS = ("[UNK]", "a", "b", "##b", "man", "é")
VERSION = "7.1"
SIZES = (4, 8, 2 * HIDDEN)
EMPTY = (3, "there is nothing", b"\x08\x03")
"""Status of a request without sentences."""


def encoder_of(hidden: int = HIDDEN, *, decades: float = 0, seed: int = 1) -> engine.Encoder:
    """Make an encoder whose numbers differ in size by about so many powers of ten."""
    random = np.random.default_rng(seed)
    sizes = {"W": (2, 4 * hidden, EMBEDDING), "R": (2, 4 * hidden, hidden), "B": (2, 8 * hidden)}
    layer = {name: random.standard_normal(size).astype(np.float32) for name, size in sizes.items()}
    spread = (10 ** -np.linspace(0, decades, hidden)).astype(np.float32)
    layers = [{name: weights * shaped(spread, weights) for name, weights in layer.items()}]
    return engine.Encoder(random.standard_normal((len(WORDS), EMBEDDING)).astype(np.float32), layers)


def shaped(spread: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each unit's factor for all its weights."""
    factors = np.tile(spread, weights.shape[1] // len(spread))
    return factors.reshape(1, -1, *(1 for _ in weights.shape[2:]))


def embedded(encoder: engine.Encoder, content: bytes) -> tuple[Embeddings, Encoding]:
    """Return what Python makes of a request's rows, which the encoder has for the tokens that are kept."""
    request = EmbedRequest.FromString(content)
    asked = options(request)
    every = [[WORDS.index(word) for word in sentence.split()] for sentence in request.sentences]
    is_whole = asked.truncation == "pieces"
    most = 1000 if is_whole else MAX_TOKENS
    kept = [ids[-most:] if asked.truncation == "end" else ids[:most] for ids in every]
    pieces, counts = in_pieces(kept, max_tokens=MAX_TOKENS, continuing={WORDS.index("##b")})
    offsets = np.cumsum([0, *map(len, pieces)])
    rows = encoder.run(np.concatenate(pieces).astype(np.int32), offsets.astype(np.int64))
    rows = rows if counts is None else mean_of_pieces(rows, counts)
    cut = [len(ids) > MAX_TOKENS and not is_whole for ids in every]
    return Embeddings(asked.shaped(rows), [len(ids) for ids in kept], cut, VERSION), asked.encoding


def named(*names: str, shown: str = "", version: str = VERSION, dimension: int = SIZES[-1]) -> transport.NamedModel:
    """A model by these names; by none, that of requests that name none."""
    return transport.NamedModel(
        names=list(names or ("",)), shown=shown, version=version, dimension=dimension, sizes=SIZES
    )


def embed_codec(version: str = VERSION, *, dimension: int = SIZES[-1]) -> transport.Codec:
    return transport.Codec.embed(models=[named(version=version, dimension=dimension)], empty=EMPTY)


def tokenizer() -> wordpiece.WordPiece:
    return wordpiece.WordPiece(
        {word: index for index, word in enumerate(WORDS)},
        ask=asking({letter: letter for letter in "abmné"} | {" ": " "}),
        added=[("[UNK]", WORDS.index("[UNK]"), False)],
        prefix="##",
        unknown="[UNK]",
        max_chars=20,
    )


def path_of(
    served: Served,
    *encoders: Any,
    codec: transport.Codec | None = None,
    method: int = 0,
    max_bytes: int = 200,
    max_together: int = 16,
    max_runs: int = 2,
    **limits: int,
) -> transport.FastPath:
    """Make a fast path by encoders of `encoder_of`, or whatever else lends one by `share`: of a model each.

    Nothing is served in slices, unless `limits` say so.
    """
    return transport.FastPath(
        served.transport,
        {method: codec or embed_codec()},
        tuple(transport.LentModel(tokenizer().share(), encoder.share(), max_tokens=MAX_TOKENS) for encoder in encoders),
        max_small_sentences=3,
        max_bytes=max_bytes,
        max_together=max_together,
        max_bytes_together=4096,
        max_runs=max_runs,
        **{"max_sentences": 3, "max_sentence_bytes": 200, "max_request_tokens": 1000, **limits},
    )


class Fast:
    """A transport that embeds by `ECHO`; what isn't small and plain is taken, and answered with its own bytes."""

    def __init__(
        self,
        served: Served,
        encoder: engine.Encoder | None = None,
        *,
        codec: transport.Codec | None = None,
        **more: int,
    ) -> None:
        """`more` are `path_of`'s."""
        self.served = served
        self.encoder = encoder or encoder_of()
        self.path = path_of(served, self.encoder, codec=codec, **more)
        self.taken: list[transport.Message] = []
        self.told: list[transport.RunCounts] = []
        self.given_up = 0
        self.wanted = 64
        """Messages that Python takes at once."""
        self.wanted_by: dict[int, int] = {}
        self.threads = [threading.Thread(target=self._take) for _ in range(2)]
        for thread in self.threads:
            thread.start()

    def ask(self, *sentences: str) -> bytes:
        """Return the answer's bytes."""
        with self.served.channel() as channel:
            content = EmbedRequest(sentences=sentences).SerializeToString()
            return bytes(channel.unary_unary(ECHO)(content, timeout=TIMEOUT_S))

    def stop(self) -> None:
        self.served.transport.stop(0)
        for thread in self.threads:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()

    def count(self) -> int:
        """Return how many calls were answered without Python, as it is told."""
        self.told += self.path.served()
        return sum(len(batch.seconds.get(0, ())) for batch in self.told)

    def _take(self) -> None:
        thread = threading.get_ident()
        while True:
            self.wanted_by[thread] = wanted = self.wanted
            taken = self.path.take_messages(wanted, 1.0, 1 << 20, thread)
            if taken is None or taken.is_given_up:
                self.given_up += taken is not None
                return
            self.taken += taken.messages
            contents = [message.content for message in taken.messages]
            self.served.transport.answer([message.id for message in taken.messages], contents)


def rows_of(fast: Fast, *sentences: list[int]) -> list[list[float]]:
    offsets = np.cumsum([0, *map(len, sentences)])
    rows: list[list[float]] = fast.encoder.run(
        np.concatenate(sentences).astype(np.int32), offsets.astype(np.int64)
    ).tolist()
    return rows

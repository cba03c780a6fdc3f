"""What C++ and Python answer to tei.v1's Embed, and to its EmbedStream, are the same bytes or the same error."""

import hypothesis
from hypothesis import strategies as st

from bothends.tei.v1.embedding_pb2 import EmbedRequest
from tests.importing.tokenising.hard_texts import HARD, TEXTS
from tests.support.until import until

from .conftest import EXAMPLES, Both

UNARY, STREAM = "tei.v1.Embed/Embed", "tei.v1.Embed/EmbedStream"
PLAIN = [f"there will be {number} dragons" for number in range(40)]
MESSAGES = st.builds(
    EmbedRequest,
    inputs=st.one_of(TEXTS, st.text(max_size=60), st.sampled_from(HARD)),
    truncate=st.booleans(),
    normalize=st.booleans(),
    truncation_direction=st.sampled_from([0, 1]),
    prompt_name=st.sampled_from([None, None, None, "", "query"]),
)
PIECES = [
    *(b"\x0a\x01a", b"\x10\x02", b"\x18\x00", b"\x20\x01", b"\x20\x02"),
    *(b"\x2a\x00", b"\x2a\x01q", b"\x30\x01", b"\xff", b""),
]


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """Make a message that may hold fields twice or that nobody knows, or be no message."""
    content = bytearray(draw(MESSAGES).SerializeToString())
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.sampled_from((0, 0, 1)))] = draw(st.sampled_from(PIECES))
    return bytes(content)


def test_hard_texts(both: Both) -> None:
    """With each option."""
    contents = [
        EmbedRequest(inputs=text, truncate=cut, normalize=unit, truncation_direction=side).SerializeToString()
        for text in HARD
        for cut, unit, side in ((True, False, "TRUNCATION_DIRECTION_LEFT"), (False, True, "TRUNCATION_DIRECTION_RIGHT"))
    ]
    with both.agreeing(f"/{UNARY}") as agree:
        before = both.served(UNARY, "native")
        answered = agree(contents)
        assert answered > 30
    until(lambda: both.served(UNARY, "native") > before + answered / 2)


@EXAMPLES
def test_messages_of_any_kind(both: Both, examples: int) -> None:
    before = both.served(UNARY, "native")
    with both.agreeing(f"/{UNARY}") as agree:

        @hypothesis.settings(max_examples=examples, database=None)
        @hypothesis.given(st.lists(broken(), min_size=8, max_size=8))
        def ask(contents: list[bytes]) -> None:
            agree(contents)

        ask()
    until(lambda: both.served(UNARY, "native") > before + examples / 3)


def test_streams(both: Both) -> None:
    """C++ answers each plain message; one that fails ends the stream alike."""
    before = both.served(STREAM, "native")
    plain = [EmbedRequest(inputs=text, truncate=True).SerializeToString() for text in (*PLAIN, "word " * 300)]
    with both.streaming(f"/{STREAM}") as agree:
        assert agree(plain) == len(plain)
        assert agree([plain[0], EmbedRequest(inputs=" ").SerializeToString()]) == 1
    until(lambda: both.served(STREAM, "native") == before + len(plain) + 1)

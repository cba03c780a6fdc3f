"""Over HTTP what C++ serves and what Python serves are the same JSON, or the same error, whatever is asked."""

import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.importing.tokenising.hard_texts import HARD
from tests.support.until import until

from .conftest import EXAMPLES, TIMES, Both
from .http_bodies import INPUT, SENTENCE, SIZE, Agree, agreeing, broken
from .test_two_languages_infer import ODD, OUTPUTS, RIGHT, mostly

Members = Mapping[str, Any]
WORDS = "there will be dragons where a man plays the guitar, and a woman sings".split()  # noqa: SIM905
NAMES = ["english", "english:latest", "default", "default:latest", None]
IGNORED: list[Any] = [None, {}, {"seed": 1, "stop": None}, {"num_ctx": 1e3}, {"stop": ["a"]}, {"a": {}}, [], "a", 1]
OLLAMA: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from([*NAMES * 3, "", ":latest", "english:v2", "english:latest:latest", 'an "other"', 1]),
    "options": st.sampled_from([*IGNORED[:4] * 3, *IGNORED, {str(number): number for number in range(100)}]),
    "keep_alive": st.sampled_from(["5m", "", -1, 0.5, None, 300, True, [], 10**400]),
}
KEPT = st.sampled_from(["error", "start", "end", "pieces", None, "Start", False])
TEI: dict[str, st.SearchStrategy[Any]] = {
    "inputs": INPUT,
    "truncation": KEPT,
    "truncate": st.sampled_from([True, False, None, "true", 1]),
    "truncation_direction": st.sampled_from(["left", "right", "Left", "Right", "up", None]),
    "prompt_name": st.sampled_from([None, "query", "", 1]),
    "normalize": st.sampled_from([True, False, None, "true"]),
    "dimensions": SIZE,
    "parameters": st.just({}),
}
TENSOR = st.fixed_dictionaries(
    {
        "name": mostly(st.just("text"), "texts", None),
        "datatype": mostly(st.just("BYTES"), "FP32"),
        "shape": st.sampled_from([[1], [1, 1], [2], [2, 1], [1, 2], [], [-1], [1.0], [True], [1, 1, 1], 1, [2**70]]),
        "data": st.one_of(
            st.lists(SENTENCE, min_size=1, max_size=2),
            st.lists(st.lists(SENTENCE, min_size=1, max_size=1), max_size=2),
            st.sampled_from([[["a", "b"]], [["a"], "b"], [["a", ["b"]]], [[["a"]]], [[], "a"], ["a", 1], "a", None]),
        ),
    },
    optional={"parameters": mostly(st.just({}), {"binary_data_size": 5}, {"a": 1}, None), "rows": st.just(1)},
)
WANTED = st.fixed_dictionaries(
    {"name": mostly(st.sampled_from(["embedding", "token_count", "truncated"]), "pooled", None, 1)},
    optional={
        "parameters": mostly(
            st.sampled_from([{}, {"binary_data": False}]), {"binary_data": True}, {"classification": 1}, []
        )
    },
)
PARAMETERS = st.one_of(
    st.fixed_dictionaries({}, optional=RIGHT | {"binary_data_output": st.just(False)}),
    st.fixed_dictionaries({}, optional=ODD | {"binary_data_output": st.sampled_from([True, None, 1])}),
    st.fixed_dictionaries({}, optional={name: st.none() for name in ("truncation", "dimensions", "priority")}),
    st.just([]),
)


@dataclass(frozen=True)
class Front:
    """What is asked at a path. `text` is the member that holds the texts."""

    path: str
    text: str
    members: Mapping[str, st.SearchStrategy[Any]]
    """All that there are, with values that are right or wrong, and one that there isn't."""
    options: Mapping[str, Sequence[Any | EllipsisType]]
    """Values of the others that are right, or `...` where a member is left out."""
    plain: Members = field(default_factory=dict)
    """Members that every request has."""
    cuts: Sequence[Members] = ({},)
    """Ways to have long texts of a list cut; none where there are no lists."""
    method: str = ""
    """Path as metrics have it; `path` if it is empty."""

    def holding(self, texts: Any, **others: Any) -> Members:
        """Make a request of a text, or of several."""
        return {**self.plain, self.text: texts, **others}

    def bodies(self, texts: Iterator[str]) -> Iterator[bytes]:
        """Make a request of each text, or of three, with one after the other of all options."""
        counts = (1, 1, 3) if self.cuts else (1,)
        choices: Iterator[Any] = itertools.cycle(itertools.product(*self.options.values(), counts, (True, False)))
        while True:
            *values, count, is_ascii = next(choices)
            if not (few := list(itertools.islice(texts, count))):
                return
            chosen = {name: value for name, value in zip(self.options, values, strict=True) if value is not ...}
            asked = self.holding(few if count > 1 else few[0], **chosen)
            yield json.dumps(asked, ensure_ascii=is_ascii).encode(errors="surrogatepass")


@dataclass(frozen=True)
class Inferring(Front):
    """Front whose texts are a tensor's data."""

    def holding(self, texts: Any, **others: Any) -> Members:
        """In rows of their own if they are several."""
        rows, shape = (texts, [1]) if isinstance(texts, str) else ([[text] for text in texts], [len(texts), 1])
        data = [rows] if isinstance(texts, str) else rows
        return {"inputs": [{"name": "text", "datatype": "BYTES", "shape": shape, "data": data}], **others}


FRONTS = [
    Front(
        path="/v1/embeddings",
        text="input",
        members={
            "model": st.sampled_from(["english", "text-embedding-3-small", "default", "another", None, 1]),
            "input": INPUT,
            "encoding_format": st.sampled_from(["float", "base64", None, "Float", 1]),
            "dimensions": SIZE,
            "user": st.one_of(st.text(max_size=5), st.none(), st.integers()),
            "truncation": KEPT,
            "input ": st.just("a"),
        },
        options={
            "truncation": ("start", "end", "pieces", None, "error"),
            "dimensions": (None, 128),
            "encoding_format": ("base64", "float"),
        },
        plain={"model": "english"},
        cuts=[
            {"truncation": kept, "encoding_format": encoding}
            for kept, encoding in (("start", "float"), ("start", "base64"), ("pieces", "base64"))
        ],
    ),
    *(
        Front(
            path=path,
            text="inputs",
            members=TEI,
            options={
                "truncate": (True, None, False),
                "truncation_direction": ("left", "Right", ...),
                "dimensions": (None, 128),
                "normalize": (True, ..., False),
            },
            cuts=[{"truncate": True}, {"truncate": False, "truncation": "pieces"}],
        )
        for path in ("/embed", "/")
    ),
    Front(
        path="/api/embed",
        text="input",
        members=OLLAMA
        | {
            "input": INPUT,
            "truncation": KEPT,
            "truncate": st.sampled_from([True, False, None, "true", 1]),
            "dimensions": SIZE,
            "prompt": st.just("a"),
        },
        options={
            "truncate": (True, None, False),
            "dimensions": (None, 128),
            "options": IGNORED[:4],
            "model": NAMES,
        },
        plain={"keep_alive": "5m"},
    ),
    Front(
        path="/api/embeddings",
        text="prompt",
        members=OLLAMA | {"prompt": st.one_of(SENTENCE, st.just(["a"]), st.none()), "truncate": st.just(True)},
        options={"options": IGNORED[:4], "model": NAMES},
        plain={"keep_alive": "5m"},
        cuts=(),
    ),
    Inferring(
        path="/v2/models/english/infer",
        text="inputs",
        method="/v2/models/{model}/infer",
        members={
            "id": st.sampled_from(["", "7", "x" * 1024, "x" * 1025, "über", 'a "b"', "\\", "\n", "\x7f", None, 7]),
            "inputs": st.one_of(st.lists(TENSOR, min_size=1, max_size=1), st.lists(TENSOR, max_size=2), st.none()),
            "outputs": st.lists(WANTED, max_size=4),
            "parameters": PARAMETERS,
            "model_name": st.just("english"),
        },
        options={
            "parameters": (
                ...,
                {"dimensions": 128, "normalize": True},
                {"truncation": "end"},
                {"truncation": "pieces"},
            ),
            "outputs": (..., [{"name": "token_count"}, {"name": "truncated"}], [{"name": "embedding"}]),
            "id": ("", "mine"),
        },
        cuts=[{}, {"outputs": [{"name": "truncated"}]}, {"parameters": {"truncation": "pieces", "timeout": 0}}],
    ),
]


@dataclass(frozen=True)
class Asking:
    """A front, a way to have both servers answer bodies alike, and the number of those that C++ served."""

    front: Front
    agree: Agree
    both: Both

    def served(self) -> float:
        return self.both.served(f"POST {self.front.method or self.front.path}", "native")


# At `/` are the functions of `/embed`.
@pytest.fixture(
    params=[pytest.param(front, id=front.path, marks=[pytest.mark.slow] * (front.path == "/")) for front in FRONTS]
)
def asking(request: pytest.FixtureRequest, both: Both) -> Iterator[Asking]:
    with agreeing(both, request.param.path) as agree:
        yield Asking(request.param, agree, both)


@TIMES
def test_hard_texts(asking: Asking, times: int) -> None:
    """Beside others, with each option; some are too long, blank, or read by the library alone."""
    before = asking.served()
    answered = asking.agree(list(asking.front.bodies(iter(HARD * times))))
    assert answered > 12 * times
    until(lambda: asking.served() > before + answered / 4)


@pytest.mark.parametrize("count", [17, 50, pytest.param(600, marks=pytest.mark.slow)])
def test_lists_of_any_length(asking: Asking, count: int) -> None:
    """Plain ones are served by C++, each of them; so are those with some hard texts, or Python has their words."""
    draw = random.Random(count)  # noqa: S311  not a secret
    plain = [" ".join(draw.choices(WORDS, k=draw.randint(1, 30))) for _ in range(count)]
    hard = [text for text in draw.choices(HARD, k=count // 20 + 1) if text.strip()]
    front, before = asking.front, asking.served()
    for cut in front.cuts:
        for texts in (plain, ["dragons, " * 300, *plain[1:]]):
            assert asking.agree([json.dumps(front.holding(texts, **cut)).encode()]) == 1
    until(lambda: asking.served() == before + 2 * len(front.cuts))
    asking.agree([json.dumps(front.holding([*plain, *hard], **cut)).encode() for cut in front.cuts])


@EXAMPLES
def test_bodies_of_any_kind(asking: Asking, examples: int) -> None:
    """Members that are known and others, twice or of another kind; bytes that are no JSON, or nearly."""
    before = asking.served()
    good = asking.front.holding("a man")

    @hypothesis.settings(max_examples=examples, database=None)
    @hypothesis.given(st.lists(broken(asking.front.members, good), min_size=8, max_size=8))
    def each(contents: list[bytes]) -> None:
        asking.agree(contents)

    each()
    until(lambda: asking.served() > before + examples / 3)


@pytest.mark.parametrize("asking", FRONTS[3:5], ids=lambda front: front.path, indirect=True)
def test_each_name_of_the_model(asking: Asking) -> None:
    """C++ serves whoever asks by any of them, and Ollama's clients, which say more than they are asked."""
    for name in NAMES:
        before, asked = asking.served(), {asking.front.text: "a man", "model": name}
        for more in ({"options": {"mirostat": None, "num_ctx": 512}, "keep_alive": 300}, {}):
            assert asking.agree([json.dumps(asked | more).encode()]) == 1
        until(lambda: asking.served() == before + 2)  # noqa: B023  called here


@pytest.mark.parametrize(
    ("headers", "is_native"),
    [
        ({}, True),
        ({"content-type": "application/x-www-form-urlencoded"}, True),
        ({"origin": "http://another.test"}, False),
        ({"inference-header-content-length": "9999"}, False),
    ],
)
@pytest.mark.parametrize("front", FRONTS[3:], ids=lambda front: front.path)
def test_a_body_of_any_type(both: Both, front: Front, headers: Mapping[str, str], *, is_native: bool) -> None:
    """It is read as JSON unless another site's page sends it, or it isn't all JSON; C++ leaves these to Python."""
    with agreeing(both, front.path, headers) as agree:
        asking = Asking(front, agree, both)
        before = asking.served()
        agree([json.dumps(front.holding("a man")).encode()])
    until(lambda: asking.served() == before + is_native)


def test_what_a_request_for_inference_may_hold(both: Both) -> None:
    """Each member as it may be, and as it may not: C++ serves those alone that are as the first ones."""
    front = FRONTS[5]
    plain: list[Members] = [
        *({"id": asked} for asked in ("", "7", "x" * 1024, "\x7f")),
        *({"outputs": [{"name": name} for name in names]} for names in (OUTPUTS, OUTPUTS[:2], OUTPUTS[:0:-1])),
        *({"outputs": [{"name": "truncated", "parameters": more}]} for more in ({}, {"binary_data": False})),
        {"parameters": {"binary_data_output": False, "timeout": 0, "priority": 3, "sequence_id": "a"}},
        {"parameters": {"truncation": "end", "normalize": True, "dimensions": 64}},
        *tensors([1], ["a"]),
        *tensors([2], ["a", "b"]),
        *tensors([2, 1], [["a"], ["b"]]),
        *tensors([2], [["a", "b"]]),
    ]
    others: list[Members] = [
        *({"id": asked} for asked in ('a "b"', "\\", "\n", "über", "x" * 1025, 7, None)),
        *({"outputs": [{"name": name} for name in names]} for names in (OUTPUTS[::-1], ["pooled"])),
        *({"outputs": [{"name": "truncated", "parameters": more}]} for more in ({"binary_data": True}, {"a": 1}, None)),
        *({"parameters": {name: None}} for name in ("truncation", "dimensions", "priority", "timeout")),
        *({"parameters": {name: True}} for name in ("binary_data_output", "truncation", "timeout", "another")),
        *({"outputs": None}, {"parameters": []}, {"inputs": []}, {"inputs": None}, {"input": "a"}),
        *tensors([1], ["a", "b"]),
        *tensors([2], ["a"]),
        *tensors([2, 2], ["a", "b"]),
        *tensors([1], [["a", ["b"]]]),
        *tensors([1], [1]),
        *tensors([1], "a"),
        *tensors([1.0], ["a"]),
        *tensors([], ["a"]),
        *tensors([0], []),
    ]
    with agreeing(both, front.path) as agree:
        asking = Asking(front, agree, both)
        for members, is_native in ((plain, True), (others, False)):
            for each in members:
                before = asking.served()
                agree([json.dumps({**front.holding("a man"), **each}).encode()])
                until(lambda: asking.served() == before + is_native)  # noqa: B023  called here


def tensors(shape: Any, data: Any) -> list[Members]:
    """Make the member that holds texts, and the same with parameters that say nothing."""
    made = {"name": "text", "datatype": "BYTES", "shape": shape, "data": data}
    return [{"inputs": [made]}, {"inputs": [made | {"parameters": {}}]}]

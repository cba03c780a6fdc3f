"""The page's answers as a person sees them: colours, labels, long and foreign sentences, and what is out of date."""

from collections.abc import Callable

import pytest

pytest.importorskip("playwright", reason="playwright is missing (pip install playwright)")
from playwright.sync_api import Route, expect

from tests.support.browsing import Visit
from tests.support.until import until

pytestmark = pytest.mark.slow  # opens the page in a browser

WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen".split()  # noqa: SIM905
SHADES = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const shade = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    return [...document.querySelectorAll("#heat tbody td")].map((cell) => [
        cell.parentNode.rowIndex === cell.cellIndex,
        Number(cell.dataset.cosine),
        shade(getComputedStyle(cell).backgroundColor),
    ]);
}"""


def far(one: list[int], other: list[int]) -> float:
    """Distance of two colours, of at most 442."""
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cosines_are_told_apart_by_colour(visit: Callable[..., Visit], scheme: str) -> None:
    """The range that there is takes all of the ramp, and a sentence's 1.00 with itself takes none of it."""
    opened = visit(scheme=scheme)
    opened.sees("#ends svg")
    found = opened.page.evaluate(SHADES)
    others = sorted((cosine, shade) for is_self, cosine, shade in found if not is_self)
    (selves,) = {tuple(shade) for is_self, _, shade in found if is_self}
    middle = min(others, key=lambda pair: abs(pair[0] - 0.4))
    low = min(others, key=lambda pair: abs(pair[0] - 0.12))
    assert far(low[1], middle[1]) > 25
    assert far(others[0][1], others[-1][1]) > 85
    assert max(selves) - min(selves) < 16  # grey
    assert far(list(selves), others[-1][1]) > far(list(selves), others[0][1])


@pytest.mark.parametrize(("sentences", "is_pale"), [(["no dragons", "a contract"], True), (["a b", "a b"], False)])
def test_a_single_cosine_has_the_colour_of_its_size(
    visit: Callable[..., Visit], sentences: list[str], is_pale: bool
) -> None:
    """A small one looks small, though it is the largest that there is."""
    opened = visit()
    opened.tries(*sentences)
    share = opened.page.evaluate(
        "parseFloat(document.querySelector('#heat tbody td:not(.self)').style.getPropertyValue('--share'))"
    )
    assert (share < 30) == is_pale
    assert (share > 95) != is_pale


def test_labels_are_whole_where_there_is_room(visit: Callable[..., Visit]) -> None:
    """None of the six sentences is cut beside cells that are wider than their numbers."""
    opened = visit()
    opened.sees("#ends svg")
    cut = opened.page.evaluate(
        "[...document.querySelectorAll('#heat th button, #heat th .text')].map(({ scrollWidth, scrollHeight, "
        "clientWidth, clientHeight }) => scrollWidth > clientWidth + 1 || scrollHeight > clientHeight + 1)"
    )
    assert cut == [False] * 12


LEAVING = """() => {
    const extent = (element) => {
        const range = document.createRange();
        range.selectNodeContents(element);
        return range.getBoundingClientRect();
    };
    const cells = [...document.querySelectorAll("#heat tbody td")];
    const labels = [...document.querySelectorAll("#heat th button")];
    const left = (label) => label.querySelector(".text").getBoundingClientRect().left;
    return [
        cells.filter((cell) => extent(cell).width > cell.getBoundingClientRect().width).length,
        labels.filter((label) => extent(label.querySelector(".number")).right > left(label)).length,
    ];
}"""


@pytest.mark.parametrize("width", [1180, 360])
def test_numbers_stay_in_their_cells(visit: Callable[..., Visit], width: int) -> None:
    """A cosine below 0 is the widest there is; a row's number of two digits stays beside its sentence."""
    opened = visit(width=width)
    opened.tries("How do I reset my password?", "Prices rose in May.", *WORDS[:10])
    assert opened.page.locator("#heat td.negative").count() > 0
    assert opened.page.evaluate(LEAVING) == [0, 0]


OVERFLOWING = """() => {
    const boxes = [...document.querySelectorAll("#ends rect.wrong")].map((box) => box.getBoundingClientRect());
    const names = [...document.querySelectorAll("#ends .misses")].map((name) => name.getBoundingClientRect());
    const tokens = [...document.querySelectorAll("#ends .token:not(.ends)")].map((one) => one.getBoundingClientRect());
    const middle = ({ left, right }) => (left + right) / 2;
    const inside = (name, box) => middle(name) > box.left && middle(name) < box.right;
    const out = names.filter((name) =>
        boxes.some((box) => inside(name, box) && (name.left < box.left || name.right > box.right)));
    const touching = tokens.filter((token, index) => index && token.left < tokens[index - 1].right + 2);
    return [boxes.length, out.length, touching.length];
}"""


@pytest.mark.parametrize("count", [11, 12, 13, 14])
def test_names_stay_in_their_boxes(visit: Callable[..., Visit], count: int) -> None:
    """output[0] and output[-1] fit into the narrowest columns that are drawn, and tokens don't touch."""
    opened = visit()
    opened.tries(" ".join(WORDS[:count]))
    opened.sees("#ends svg")
    assert opened.page.evaluate(OVERFLOWING) == [2, 0, 0]
    assert opened.page.locator("#ends .lane").first.get_attribute("transform") is not None  # columns, not rows


@pytest.mark.parametrize("width", [1180, 360])
def test_a_long_sentence_leaves_the_page_short(visit: Callable[..., Visit], width: int) -> None:
    """The middle of its tokens is left out until it is asked for; both ends are there."""
    opened = visit(width=width)
    opened.tries(("word " * 139 + "end").strip(), "no dragons")
    opened.sees("#ends svg")
    height = "document.documentElement.scrollHeight"
    assert opened.page.evaluate(height) < 5500
    assert opened.page.evaluate("document.querySelector('#chosen').clientHeight") < 120
    states = opened.page.locator("#ends g > title")
    assert states.count() == 16
    assert states.last.text_content().startswith("output[139], “\u2068end\u2069”")
    opened.sees("#ends .between", "124 tokens more")
    opened.page.get_by_role("button", name="Show all 140 tokens").click()
    assert states.count() == 140
    opened.page.get_by_role("button", name="Show fewer tokens").click()
    assert states.count() == 16
    opened.tries("no dragons")
    expect(opened.page.locator("#ends-whole")).to_be_hidden()


def test_what_the_model_doesnt_know_is_marked(visit: Callable[..., Visit]) -> None:
    """Unknown tokens show what stands in the sentence; letters of another script are told; so is what it reads."""
    opened = visit()
    opened.sees("#reads", "The model reads English.")
    opened.tries("🍕 love you", "there will be dragons", "الطقس جميل اليوم", "أحب القهوة في الصباح", "🍕🍕")
    opened.sees("#worth", "The model reads English. Most of sentences 3, 4, and 5 is unknown to it")
    remarks = opened.page.locator("#heat .remarks").all_text_contents()
    assert remarks == ["1 of 3 unknown", "", "unknown script", "unknown script", "1 of 1 unknown"]
    opened.sees("#answer", "Of its tokens 1 is unknown to the model")
    assert opened.page.locator("#ends .token.unknown").all_text_contents() == ["🍕"]
    opened.sees("#unknown-key")
    opened.tries("there will be dragons")
    for mark in ("#worth", "#unknown-key"):
        expect(opened.page.locator(mark)).to_be_hidden()


def test_a_sentences_direction_is_its_own(visit: Callable[..., Visit]) -> None:
    """Words and tokens of a person's are isolated from the page's own."""
    opened = visit()
    opened.tries("أحب القهوة", "no dragons")
    opened.sees("#ends svg")
    for index in ("#chosen q", "#heat tbody tr:first-child button", "#answer q >> nth=0", "#steps tbody th >> nth=0"):
        assert opened.page.locator(index).locator("bdi").count() == 1, index
    opened.page.locator("#heat tbody td").nth(1).focus()
    opened.sees("#pair", "between 1 “أحب القهوة” and 2")
    assert opened.page.locator("#pair bdi").count() == 2


def test_a_tiny_box_is_no_error(visit: Callable[..., Visit]) -> None:
    """A place that has hardly any width for a moment gets no picture of negative sizes, and later the right one."""
    opened = visit(width=360)
    opened.sees("#ends svg")
    for width in ("0", "3px", "25px", "90px", "150px", ""):
        opened.page.evaluate("(width) => { document.querySelector('#ends').style.width = width; }", width)
        opened.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    opened.sees("#ends svg")
    assert opened.errors == []


def test_an_old_answer_isnt_taken_for_a_new_one(visit: Callable[..., Visit]) -> None:
    """A failure stands beside the box; the answer to the sentences before is faded, and says so, until there is one."""
    opened = visit()
    opened.sees("#ends svg")
    opened.page.fill("#sentences", "no dragons\n\u200b")
    opened.sees("#took", "not embedded yet")
    opened.page.keyboard.press("Control+Enter")
    opened.sees("#try #problem", "holds nothing that the model's tokenizer can read")
    opened.sees("#stale", "These are the sentences before")
    faded = "getComputedStyle(document.querySelector('#heat')).opacity"
    assert float(opened.page.evaluate(faded)) < 0.5
    opened.tries("no dragons")
    expect(opened.page.locator("#stale")).to_be_hidden()
    assert float(opened.page.evaluate(faded)) == 1


def test_an_explanation_that_is_under_way_is_no_old_one(visit: Callable[..., Visit]) -> None:
    """States of the sentence before are faded until those of the chosen one are here."""
    opened = visit()
    opened.sees("#ends svg")
    held: list[Route] = []
    opened.page.route("**/explain", lambda route: held.append(route))
    opened.page.locator("#heat button").nth(3).click()
    section = opened.page.locator("section:has(#ends)")
    expect(section).to_have_attribute("aria-busy", "true")
    expect(opened.page.locator("#ends")).to_have_css("opacity", "0.35")
    until(lambda: opened.page.wait_for_timeout(1) or held)  # routes are called while Playwright waits
    held[0].continue_()
    opened.sees("#chosen", "There will be dragons.")
    expect(section).to_have_attribute("aria-busy", "false")
    expect(opened.page.locator("#ends")).to_have_css("opacity", "1")


def test_what_cant_be_explained_leaves_no_old_explanation(visit: Callable[..., Visit]) -> None:
    """The reason stands where the picture was; the sentence is compared all the same."""
    opened = visit()
    opened.sees("#ends svg")
    opened.page.fill("#sentences", "word " * 200)
    opened.page.get_by_role("button", name="Embed").click()
    opened.sees(
        ".result #ends-problem", "The sentence has 200 tokens, to explain which 399 sequences would be embedded"
    )
    for index in ("#ends svg", "#chosen q", "#far table"):
        assert opened.page.locator(index).count() == 0
    expect(opened.page.locator("#heat tbody tr")).to_have_count(1)
    for index in ("#problem", "#stale", "#legend"):
        expect(opened.page.locator(index)).to_be_hidden()

"""The page in a real browser: what it shows, against what the server's own Python says, and how it is used."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bothends import Client
from bothends.core.explain import Explanation, explain
from bothends.server.server import Server

pytest.importorskip("playwright", reason="playwright is missing (pip install playwright)")

from tests.support.browsing import CONTRAST, Visit

pytestmark = pytest.mark.slow  # opens the page in a browser

EXAMPLES = [
    "A man is playing a guitar on the street.",
    "Somebody plays an instrument outside.",
    "A child is playing in the garden.",
    "There will be dragons.",
    "Dragons will be there.",
    "The contract was signed in May.",
]


def test_it_opens_and_asks_no_other_server(visit: Callable[..., Visit], server: Server) -> None:
    """The model and the examples' answers are shown, without a click, an error or a request to another origin."""
    opened = visit()
    config = server.service.embedder.model.config
    opened.sees("#summary", f"{config.name} {config.version} · 512 numbers a sentence · on cpu")
    opened.sees("#state", "serving")
    opened.sees("#ends svg")
    opened.sees("#card-lead", "A bidirectional LSTM sentence encoder for English")
    opened.page.get_by_text("The whole model card").click()
    opened.sees("#card-text table >> nth=0", "all-MiniLM-L6-v2")
    opened.sees("#live", "Latency")
    assert opened.errors == []
    assert {request.url.startswith(opened.address) for request in opened.requests} == {True}


def test_the_heat_map_shows_cosines(visit: Callable[..., Visit], client: Client) -> None:
    """Cosines are those of `Client.encode`; they are shown with two places behind the point."""
    opened = visit()
    sentences = ["There will be dragons.", "Dragons will be there!", '<b>He said</b> "no" & left.', "Où est-il ?"]
    opened.tries(*sentences)
    rows = client.encode(sentences, normalize=True)
    expected = rows @ rows.T
    np.testing.assert_allclose(opened.heat(), expected, atol=1e-5)
    assert opened.page.locator("#heat tbody td").nth(1).inner_text() == f"{expected[0, 1]:.2f}"
    opened.tries(*(f"sentence {index}" for index in range(24)))
    assert opened.page.evaluate(OVERLAPPING) == 0
    opened.tries(*sentences)
    assert [button.inner_text()[1:].strip() for button in opened.page.locator("#heat button").all()] == sentences


def shown(opened: Visit, explanation: Explanation) -> None:
    """All that the page shows of a sentence is the explanation's."""
    for name, vector in explanation.candidates.items():
        cells = opened.page.locator(f'#far tr[data-candidate="{name}"] td')
        found = [float(cell.get_attribute("data-cosine")) for cell in cells.all()]
        closeness = explanation.closeness(vector)
        assert found == pytest.approx([closeness.whole, closeness.forward, closeness.backward], abs=1e-5), name
    table = [row.locator("td").all_inner_texts() for row in opened.page.locator("#steps tbody tr").all()]
    count = len(explanation.pieces.ids)
    for step, (state, row) in enumerate(zip(explanation.output, table, strict=True)):
        closeness = explanation.closeness(state)
        cosines = [f"{value:.2f}" for value in (closeness.forward, closeness.backward, closeness.whole)]
        assert [row[0], row[2]] == [str(step + 1), str(count - step)]
        assert [row[1], row[3], row[4]] == [cosine.replace("-", "−") for cosine in cosines]


def painted(picture: Any, explanation: Explanation) -> None:
    """Each state's numbers are coloured by their signs, and its cosine to its end stands below."""
    found = picture.locator(".plus, .minus").evaluate_all("all => all.map((one) => one.classList.contains('minus'))")
    shown = explanation.as_json(numbers=24)
    states = [*shown["output"], shown["candidates"]["embedding"]]
    assert found == [number < 0 for state in states for number in state["forward"] + state["backward"]]
    cosines = [state["cosine"][half] for state in shown["output"] for half in ("forward", "backward")]
    written = picture.locator("g .small.faint").all_text_contents()
    assert written == [f"{cosine:.2f}".replace("-", "−") for cosine in cosines]


@pytest.mark.parametrize("width", [1180, 360])
def test_the_picture_is_of_the_chosen_sentence(visit: Callable[..., Visit], server: Server, width: int) -> None:
    """Two ends in both passes and in the embedding, what each state has read, and what is wrong with the others."""
    opened = visit(width=width)
    opened.sees("#ends svg")
    opened.page.get_by_role("button", name="There will be dragons").click()
    opened.sees("#chosen", "There will be dragons.")
    explanation = explain("There will be dragons.", server.service.embedder)
    opened.page.get_by_text("The same as a table").click()
    shown(opened, explanation)
    wrong = explanation.closeness(explanation.output[-1])
    opened.sees("#answer", f"has read 1 token of 5. Its cosine to the embedding is {wrong.whole:.2f}")
    picture = opened.page.locator("#ends svg")
    assert picture.locator(".frame").count() == 2 * 5 + 2
    assert picture.locator(".frame.end").count() == 2 + 2
    assert picture.locator("path.join").count() == 2
    painted(picture, explanation)
    words = picture.locator("text").all_text_contents()
    assert {"there", "will", "be", "dragons", "output[0]", "output[-1]", "embedding", "2 of 5"} <= set(words)
    assert (words.count("all 5"), words.count("1 of 5")) == (2, 2)
    assert opened.page.locator('#heat button[aria-pressed="true"]').inner_text().endswith("There will be dragons.")


def test_what_a_state_has_read_grows_from_its_own_side(visit: Callable[..., Visit]) -> None:
    """Forward from the left, backward from the right: at the last token, backward has read that one only."""
    opened = visit()
    opened.tries("no dragons are here")
    bars = opened.page.evaluate(
        """[...document.querySelectorAll("#ends .read")].map((bar) => {
            const whole = bar.previousElementSibling;
            const [from, most] = ["x", "width"].map((name) => +whole.getAttribute(name));
            const [x, width] = ["x", "width"].map((name) => +bar.getAttribute(name));
            return [(x - from) / most, (x - from + width) / most];
        })"""
    )
    expected = itertools.chain.from_iterable([[0, (step + 1) / 4], [step / 4, 1]] for step in range(4))
    np.testing.assert_allclose(bars, list(expected), atol=1e-9)


def test_one_token_is_both_ends(visit: Callable[..., Visit]) -> None:
    """A sentence of one token leaves output[-1] right."""
    opened = visit()
    opened.tries("dragons")
    opened.sees("#answer", "One token is both ends: output[-1] and the embedding are the same.")
    assert opened.page.locator("#ends .wrong").count() == 0


def test_a_quick_click_is_answered(visit: Callable[..., Visit]) -> None:
    """A click before the model is known waits for it: its name goes with every request."""
    opened = visit("about:blank")
    address = visit().address
    held: list[Any] = []
    opened.page.route("**/model", lambda route: route.continue_() if held else held.append(route))
    opened.page.goto(address)
    opened.tries("no dragons", "are here")
    assert opened.errors == []


def test_the_heat_map_is_walked_by_keys(visit: Callable[..., Visit]) -> None:
    """One stop for Tab, arrows from cell to cell, which are read out; Enter chooses a sentence."""
    opened = visit()
    opened.sees("#ends svg")
    cells = opened.page.locator("#heat tbody td")
    assert [cell.get_attribute("tabindex") for cell in cells.all()].count("0") == 1
    cells.first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowUp", "ArrowUp", "ArrowLeft", "ArrowDown"):
        opened.page.keyboard.press(key)
    assert opened.page.evaluate("[document.activeElement.cellIndex, document.activeElement.parentNode.rowIndex]") == [
        2,
        2,
    ]
    opened.sees("#pair", f"between 2 “{EXAMPLES[1]}” and 2 “{EXAMPLES[1]}”")
    opened.page.get_by_role("button", name="Dragons will be there").focus()
    opened.page.keyboard.press("Enter")
    opened.sees("#chosen", "Dragons will be there.")


TEXTS = [
    "h1", "#summary", "#state b", "label", "textarea", "button.main", ".hint", "#answer", "#answer .ends",
    "#answer .misses", "#heat tbody td", "#heat tbody tr:nth-child(4) td:nth-child(6)",
    "#heat tbody tr:nth-child(6) td:nth-child(2)", "#heat button .number", "#heat .self", ".ramp", "#code pre",
    '#heat button[aria-pressed="true"]', "#ends .token", "#ends .small.faint", "#ends .small.ends", "#ends .number",
    "#ends .small.misses", "#legend li", "#far .right", "dt", "dd", "summary", ".chart .unit",
]  # fmt: skip


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_it_can_be_read_by_day_and_by_night(visit: Callable[..., Visit], scheme: str, is_dark: bool) -> None:
    """WCAG AA: a contrast of 4.5 for each kind of text, against what is behind it."""
    opened = visit(scheme=scheme)
    opened.sees("#ends svg")
    ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(number) for number in ground[4:-1].split(",")) < 200) == is_dark
    contrasts = dict(opened.page.evaluate(CONTRAST, TEXTS))
    assert {selector: ratio for selector, ratio in contrasts.items() if ratio < 4.5} == {}


OVERLAPPING = "[...document.querySelectorAll('#heat td')].filter((cell) => cell.scrollWidth > cell.clientWidth).length"


def test_a_phone_needs_no_sideways_scrolling(visit: Callable[..., Visit]) -> None:
    """360 pixels, also with many sentences, a long one, and a word that is wider than the screen."""
    opened = visit(width=360)
    opened.sees("#ends svg")
    for sentences in ([*EXAMPLES], ["word " * 60, *(f"sentence {index}" for index in range(23))], ["longword" * 20]):
        opened.tries(*(sentence.strip() for sentence in sentences))
        assert opened.page.evaluate("document.documentElement.scrollWidth") == 360
        assert opened.page.evaluate(OVERLAPPING) == 0
        assert opened.page.evaluate("document.querySelector('#ends svg').getBoundingClientRect().right") <= 360


def test_text_stays_text(visit: Callable[..., Visit]) -> None:
    """Whatever is typed is shown, and nothing of it runs."""
    opened = visit()
    evil = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
    opened.tries(evil, "a")
    assert opened.page.locator("#chosen").inner_text() == evil
    assert "broken" not in opened.page.title()
    assert opened.errors == []


def test_quantiles_are_those_of_prometheus(visit: Callable[..., Visit]) -> None:
    """Linear within the bucket that holds the rank; nothing where nothing was answered in between."""
    opened = visit()
    found = opened.page.evaluate(
        """async () => {
            const { Window } = await import("/page/live.js");
            const bounds_s = [0.001, 0.002, 0.004];
            const reading = (time_s, sentences, counts) => ({ time_s, sentences, latency: { bounds_s, counts } });
            const of = new Window(reading(10, 100, [5, 5, 5, 5]), reading(14, 180, [7, 9, 9, 5]));
            const idle = new Window(reading(10, 100, [5, 5, 5, 5]), reading(11, 100, [5, 5, 5, 5]));
            return [of.rate("sentences"), of.quantile(0.5), of.quantile(0.99), idle.quantile(0.5)];
        }"""
    )  # ten: two within 1 ms, four within 2, four within 4
    assert found == [20, pytest.approx(1.75), pytest.approx(2 + 2 * (9.9 - 6) / 4), None]


def test_the_numbers_live(visit: Callable[..., Visit], client: Client) -> None:
    """Requests of other callers show within seconds."""
    opened = visit()
    opened.sees("#state", "serving")  # as the first reading says
    client.encode(["word " * 5] * 200)
    opened.page.wait_for_function(
        """() => {
            const read = (name) => parseFloat(document.querySelector(`[data-live="${name}"]`).textContent);
            return read("Sentences") >= 20 && read("Latency p50") > 0 && read("Latency p99") >= read("Latency p50");
        }"""
    )

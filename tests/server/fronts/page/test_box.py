"""The box of sentences and what stands around it: more than are shown, keys that embed them, where to read on."""

from collections.abc import Callable

import pytest

from bothends.model.bundle import Bundle
from tests.support.doors import serving

pytest.importorskip("playwright", reason="playwright is missing (pip install playwright)")
from playwright.sync_api import expect

from tests.support.browsing import Visit

pytestmark = pytest.mark.slow  # opens the page in a browser


def test_of_many_sentences_the_first_are_shown_and_it_says_so(visit: Callable[..., Visit]) -> None:
    """200 lines are no error; how many of them are left out stands below the box, until none is."""
    opened = visit()
    opened.sees("#ends svg")
    opened.page.fill("#sentences", "\n\n".join(f"sentence {index}" for index in range(200)))
    opened.page.keyboard.press("Control+Enter")
    opened.sees("#left-out", "The first 24 of 200 sentences are shown.")
    expect(opened.page.locator("#heat tbody tr")).to_have_count(24)
    expect(opened.page.locator("#problem")).to_be_hidden()
    opened.page.locator("#sentences").press_sequentially(" and more")  # to a line that isn't shown
    expect(opened.page.locator("#took")).not_to_contain_text("not embedded yet")
    opened.tries("there will be dragons")
    expect(opened.page.locator("#left-out")).to_be_hidden()


def test_the_keys_that_embed_are_told_where_there_is_a_keyboard(visit: Callable[..., Visit]) -> None:
    """A phone has none."""
    visit().sees(".keys", "or Ctrl + Enter")
    phone = visit(width=360, has_touch=True, is_mobile=True)
    phone.sees("#ends svg")
    expect(phone.page.locator(".keys")).to_be_hidden()


def test_what_failed_isnt_said_to_be_too_long_for_a_link(visit: Callable[..., Visit]) -> None:
    """Nothing was embedded, so nothing stands beside the button, not even the end of a sentence."""
    opened = visit()
    opened.sees("#ends svg")
    opened.page.fill("#sentences", "word " * 2000 + "\n\u200b")
    opened.page.keyboard.press("Control+Enter")
    opened.sees("#problem", "holds nothing that the model's tokenizer can read")
    expect(opened.page.locator("#took")).to_have_text("")


def test_it_leads_to_the_api_and_the_metrics(visit: Callable[..., Visit], english: Bundle) -> None:
    """Both answer; where metrics are off, there is no link to them."""
    opened = visit()
    for name, said in (("HTTP API", '"openapi"'), ("Metrics", "# TYPE bothends_requests_total counter")):
        address = opened.page.get_by_role("link", name=name).get_attribute("href")
        answer = opened.page.request.get(f"{opened.address.rstrip('/')}/{address}")
        assert (answer.status, said in answer.text()) == (200, True)
    with serving(english, metrics="off") as silent:
        opened = visit(f"http://127.0.0.1:{silent.http_port}/")
        opened.sees("#live-note", "switched off")
        expect(opened.page.locator("#metrics")).to_be_hidden()

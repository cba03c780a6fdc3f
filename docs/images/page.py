"""The page of a server under some load, to the PNGs beside this file: by day, by night, and on a phone.

`python docs/images/page.py` takes two minutes. Needs Chromium and what tests need. Knows how to ask and to take the
picture; the server draws.
"""

import itertools
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pictures import mark
from playwright.sync_api import sync_playwright

from bothends import Client
from bothends.server.server import Server
from bothends.settings import Settings

HERE = Path(__file__).parent
_MINUTE_S = 62.0
"""Seconds that the page's charts show, and a little more."""
_WORDS = "there will be dragons where a man plays the guitar and a woman sings of rivers in the old town".split()  # noqa: SIM905
_TABS = (("", 1180, "light", 1), ("-dark", 1180, "dark", 1), ("-phone", 360, "dark", 1.6))
_MARGIN = 14
_PRESSED, _BETWEEN_MS = 4, 700
_FLAGS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"]


@contextmanager
def loaded(server: Server) -> Iterator[None]:
    """Run callers that come and go: one sentence at a time, and now and then a list."""
    over = threading.Event()

    def call() -> None:
        with Client(f"127.0.0.1:{server.port}") as client:
            for turn in itertools.count():
                many = 48 if turn % 97 == 0 else 1
                client.encode([" ".join(_WORDS[(turn + i) % 7 : 8 + (turn + i) % 11]) for i in range(many)])
                if over.wait(0.004 + 0.003 * (turn // 400 % 3)):
                    return

    callers = [threading.Thread(target=call) for _ in range(2)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        over.set()
        for caller in callers:
            caller.join()


def embed_warm(page: Any) -> None:
    """Press the button until the page shows what a request takes, and not what a browser's first ones do."""
    for _ in range(_PRESSED):
        page.get_by_role("button", name="Embed").click()
        page.wait_for_timeout(_BETWEEN_MS)
    page.evaluate("document.activeElement.blur()")


def photograph(page: Any, name: str, *, first: str, last: str) -> None:
    """Photograph the page from the top of `first` to the end of `last`."""
    file = HERE / f"page{name}.png"
    top, end = page.locator(first).bounding_box(), page.locator(last).bounding_box()
    above = max(0, top["y"] - _MARGIN)
    clip = {
        "x": 0,
        "y": above,
        "width": page.viewport_size["width"],
        "height": end["y"] + end["height"] + _MARGIN - above,
    }
    page.screenshot(path=file, full_page=True, clip=clip)


def main() -> None:
    """Take the pictures."""
    server = Server(Settings(device="cpu", port=0, http_port=0))
    server.start()
    try:
        with sync_playwright() as playwright, loaded(server):
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
            pages = {}
            for name, width, scheme, scale in _TABS:
                page = browser.new_page(
                    viewport={"width": width, "height": 900}, color_scheme=scheme, device_scale_factor=scale
                )
                page.goto(f"http://127.0.0.1:{server.http_port}/")
                pages[name] = page
            end = time.monotonic() + _MINUTE_S
            while time.monotonic() < end:
                pages[""].wait_for_timeout(1000)
            for page in pages.values():
                page.wait_for_selector("#ends svg")
                embed_warm(page)
            photograph(pages[""], "", first="header", last="#legend")
            photograph(pages["-dark"], "-dark", first="section:has(#ends)", last="section:has(#facts)")
            photograph(pages["-phone"], "-phone", first="section:has(#heat)", last="#legend")
            mark(*(f"page{name}.png" for name in pages))
            browser.close()
    finally:
        server.stop()


if __name__ == "__main__":
    main()

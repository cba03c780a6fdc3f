"""The page in a headless Chromium: an open tab, and its browser's errors and requests. Needs playwright."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import expect

from .until import TIMEOUT_S

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
"""Flags of a browser that asks no server but the page's."""
TIMEOUT_MS = 1000 * TIMEOUT_S
expect.set_options(timeout=TIMEOUT_MS)
CONTRAST = """(selectors) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const paint = (colour) => { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); };
    const linear = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const luminance = () => {
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => linear(value / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return selectors.map((selector) => {
        const element = document.querySelector(selector);
        const behind = [];
        for (let at = element; at; at = at.parentElement) behind.unshift(getComputedStyle(at).backgroundColor);
        behind.forEach(paint);
        const ground = luminance();
        paint(getComputedStyle(element)[element instanceof SVGElement ? "fill" : "color"]);
        const text = luminance();
        return [selector, (Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05)];
    });
}"""
"""Script that computes the contrast of each element's text to its background, as WCAG defines it."""


class Visit:
    """A page that is open, and its browser's errors and requests."""

    def __init__(self, browser: Any, address: str, *, width: int = 1180, scheme: str = "light", **options: Any) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce", **options
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.address = address
        self.errors: list[str] = []
        self.requests: list[Any] = []
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request))
        self.page.goto(address)

    def sees(self, selector: str, text: str | None = None) -> Any:
        """Wait for the element to be there, and to have the text; return it."""
        found = self.page.locator(selector)
        expect(found).to_be_visible()
        if text is not None:
            expect(found).to_contain_text(text)
        return found

    def tries(self, *sentences: str) -> None:
        """Type sentences, and press the button."""
        self.page.fill("#sentences", "\n".join(sentences))
        self.page.get_by_role("button", name="Embed").click()
        expect(self.page.locator("#heat tbody tr")).to_have_count(len(sentences))
        self.sees("#chosen", sentences[0])

    def heat(self) -> NDArray[np.float64]:
        """The cosines of the heat map, as they were computed."""
        rows = self.page.locator("#heat tbody tr").all()
        return np.array(
            [[float(cell.get_attribute("data-cosine")) for cell in row.locator("td").all()] for row in rows]
        )

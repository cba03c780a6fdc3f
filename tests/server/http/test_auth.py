"""Keys that come with HTTP requests to pages."""

from pathlib import Path

import httpx
import pytest

from bothends.model.bundle import Bundle
from bothends.server.keys import new
from tests.support.doors import serving
from tests.support.until import TIMEOUT_S


@pytest.mark.parametrize("path", ["/metrics", "/live"])
def test_a_page_may_be_for_those_with_a_key(toy_bundle: Bundle, tmp_path: Path, path: str) -> None:
    """Others get 401, with the scheme that is asked for; probes need no key."""
    key, entry = new("someone")
    (tmp_path / "keys.toml").write_text(entry)
    with serving(toy_bundle, metrics="keys", api_keys=tmp_path / "keys.toml", selftest_s=0) as server:
        url = f"http://127.0.0.1:{server.http_port}"
        for headers in ({}, {"authorization": "Bearer wrong"}):
            refused = httpx.get(url + path, headers=headers, timeout=TIMEOUT_S)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert "API key" in refused.json()["error"]
        assert httpx.get(url + path, headers={"authorization": f"Bearer {key}"}, timeout=TIMEOUT_S).status_code == 200
        assert httpx.get(f"{url}/readyz", timeout=TIMEOUT_S).status_code == 200

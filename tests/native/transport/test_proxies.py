"""Who calls through a proxy is who others find: uvicorn of X-Forwarded-For, and aiohttp of Forwarded."""

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tests.support.until import until

from .raw import ECHO, Raw, framed
from .served import Served

PROXY, INNER = "127.0.0.9", "10.0.0.0/8"
TRUSTED = [(socket.inet_aton(PROXY), 32), (socket.inet_aton("10.0.0.0"), 8)]
CALLERS = ["192.0.2.1", "192.0.2.2", "10.1.2.3", "10.9.9.9", "203.0.113.7"]
WRITTEN = ["x", ",", ";", "=", " ", '\\"', "\\\\", "for=203.0.113.9", "for=10.0.0.1", "a"]
"""What a caller's Host may bring into a quoted string."""


def agree(served: Served, asked: list[tuple[str, str, str]]) -> None:
    """Assert that a call with each header is of the network of the address beside it; the proxy's if that is empty."""
    for start in range(0, len(asked), 40):
        part = asked[start : start + 40]
        count = 2 * len(part)
        with Raw(served.port, source=PROXY) as proxy:
            for index, (name, value, caller) in enumerate(part):
                proxy.call(ECHO, framed(b"%03d" % (2 * index)), headers=[(name, value)])
                reference = [("x-forwarded-for", caller)] if caller else []
                proxy.call(ECHO, framed(b"%03d" % (2 * index + 1)), headers=reference)
            until(lambda: served.figure("waiting") == count)  # noqa: B023  called here
            taken = sorted(served.take_messages(count), key=lambda message: message.content)
            networks = [message.network for message in taken]
            for (name, value, caller), found, expected in zip(part, networks[::2], networks[1::2], strict=True):
                assert found == expected, (name, value, caller)
        until(lambda: served.figure("connections") == 0)


def test_x_forwarded_for_is_read_as_uvicorn_reads_it(serve: Callable[..., Served]) -> None:
    draw, found = Random(7), list[str]()  # noqa: S311  not a secret

    async def application(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope["client"][0])

    middleware: Any = ProxyHeadersMiddleware(application, trusted_hosts=[PROXY, INNER])
    headers = [", ".join(draw.choices(CALLERS, k=draw.randint(1, 5))) for _ in range(60)]
    for header in headers:
        scope = {"type": "http", "client": (PROXY, 1), "headers": [(b"x-forwarded-for", header.encode())]}
        asyncio.run(middleware(scope, None, None))
    # Where all are proxies uvicorn takes the first, and this server the proxy that it knows.
    callers = ["" if ip_address(caller) in ip_network(INNER) else caller for caller in found]
    agree(serve(proxies=TRUSTED), [("x-forwarded-for", *pair) for pair in zip(headers, callers, strict=True)])


def test_forwarded_is_read_as_aiohttp_reads_it(serve: Callable[..., Served]) -> None:
    """Elements hold quoted strings, in which a caller has written commas, semicolons and addresses."""
    pytest.importorskip("aiohttp", reason="aiohttp isn't installed (make test-slow installs it)")
    from aiohttp.test_utils import make_mocked_request

    draw, asked = Random(7), list[tuple[str, str, str]]()  # noqa: S311  not a secret

    def element() -> str:
        pairs = [f"{draw.choice(['for', 'For'])}={draw.choice(CALLERS)}"]
        pairs += [f'{name}="{"".join(draw.choices(WRITTEN, k=draw.randint(0, 4)))}"' for name in ("host", "by")]
        return ";".join(draw.sample(pairs, draw.randint(1, 3)))

    for _ in range(80):
        header = ", ".join(element() for _ in range(draw.randint(1, 4)))
        read = make_mocked_request("GET", "/", headers={"Forwarded": header}).forwarded
        # An element that doesn't say who called ends what can be believed.
        callers = [each.get("for", "") for each in reversed(read)]
        asked.append(("forwarded", header, next((one for one in callers if not one.startswith("10.")), "")))
    agree(serve(proxies=TRUSTED), asked)

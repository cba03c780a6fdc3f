"""An attack through the gateway, before which all callers have one address, and neighbours who come by it too."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.proxies import haproxy_of_web_by_port
from tests.support.ran import ran
from tests.support.serving import BOTHENDS
from tests.support.until import until

from .beside import NEIGHBOUR, Beside, address_of, served
from .caller import RIGHT, Caller
from .outcome import Outcome

_FLAG = "--trusted-proxies"


@dataclass(frozen=True)
class ThroughGateway:
    """Another attack, over HTTP, where the server is told by the gateway who calls."""

    beside: Beside

    @property
    def before(self) -> str:
        return self.beside.before

    def run(self, name: str, *, seconds: float, folder: Path) -> Outcome:
        """Start a server and deploy/gateway/haproxy.cfg before it, and attack by that; skips where either lacks."""
        if _FLAG not in ran(BOTHENDS, "serve", "--help-all").stdout:
            pytest.skip(f"this server has no {_FLAG}")
        with served("--health-port", "0", _FLAG, "127.0.0.1") as running:
            health = re.search(r"health +http://\S+:(\d+)", running.banner)
            assert health is not None, running.banner
            with haproxy_of_web_by_port(address_of(running)[False][1], int(health[1])) as gateway:
                caller = Caller(self.beside.neighbour, gateway, NEIGHBOUR)
                caller.learn()
                until(lambda: caller.call().kind == RIGHT)
                caller.close()
                doors = {True: gateway, False: gateway}
                return self.beside.attack(name, running, doors, [None] * 3, seconds)

"""Real HAProxy and nginx before a server, each on a socket or a port of its own; Envoy stands in envoys.py."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from .paths import ROOT
from .until import TIMEOUT_S, eventually

GATEWAY = ROOT / "deploy" / "gateway" / "haproxy.cfg"
TCP = """
defaults
    mode tcp
    timeout connect 1s
    timeout client 1h
    timeout server 1h
listen grpc
    bind {listens}
    server embedder {target}
"""
REQUESTS = """
defaults
    mode http
    timeout connect 1s
    timeout client 1h
    timeout server 1h
    http-reuse always
listen http
    bind {listens}
    server embedder {target} pool-max-conn 1
"""
NGINX = """
daemon off;
pid {folder}/pid;
error_log stderr crit;
events {{}}
http {{
    access_log off;
    {temporary}
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host localhost;
    grpc_set_header Host localhost;
    grpc_read_timeout 1h;
    grpc_send_timeout 1h;
    upstream embedders {{
        server {target};
        keepalive {kept};
    }}
    server {{
        listen {listens};
        http2 {http2};
        location / {{ {passes}://embedders; }}
    }}
}}
"""
SHORT = "/tmp"  # noqa: S108  a folder of its own there
"""Where folders of sockets are made: a socket's path is short, and a configuration's has no space."""
WRITTEN = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
"""Modules of nginx that each want a folder to write to."""


@contextmanager
def haproxy(target: str) -> Iterator[str]:
    """Run HAProxy with deploy/gateway/haproxy.cfg, changed in its addresses only, and so without DNS and checks."""
    config = re.sub(r"^resolvers .*?\n\n", "", GATEWAY.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    config = re.sub(r"^ +(default-server resolvers|option httpchk|http-check) .*\n", "", config, flags=re.MULTILINE)
    config = config.replace(" check inter 250ms fall 1 rise 1", "")
    config = config.partition("frontend http\n")[0].replace("bind :50051 ", "bind {listens} ")
    config = config.replace("server-template embedder 16 embedder:50051", f"server embedder {target}")
    with _haproxy(config) as address:
        yield address


@contextmanager
def haproxy_of_http(port: int, health_port: int) -> Iterator[str]:
    """Run the HTTP side of deploy/gateway/haproxy.cfg before a server here; yield its socket. Health is looked at."""
    with _haproxy(_web_of_gateway(port, health_port)) as address:
        yield address.removeprefix("unix:")


@contextmanager
def haproxy_of_web_by_port(port: int, health_port: int) -> Iterator[tuple[str, int]]:
    """Run the same on a port of its own, which callers of several addresses reach; yield where it listens."""
    with _held_port() as listens, _haproxy(_web_of_gateway(port, health_port), listens):
        yield "127.0.0.1", listens


def _web_of_gateway(port: int, health_port: int) -> str:
    """Return the HTTP side of deploy/gateway/haproxy.cfg, changed in its addresses only, and so without DNS."""
    whole = GATEWAY.read_text(encoding="utf-8")
    config = re.sub(r"^resolvers .*?\n\n", "", whole.partition("frontend grpc\n")[0], flags=re.MULTILINE | re.DOTALL)
    config += "frontend http\n" + whole.partition("frontend http\n")[2].partition("frontend ready\n")[0]
    config = re.sub(r"^ +default-server resolvers .*\n", "", config, flags=re.MULTILINE)
    config = config.replace("bind :8080", "bind {listens}").replace("port 8081", f"port {health_port}")
    return config.replace("server-template embedder 16 embedder:8080", f"server embedder 127.0.0.1:{port}")


@contextmanager
def haproxy_of_bytes(target: str) -> Iterator[str]:
    """Run HAProxy that passes bytes on and knows no HTTP."""
    with _haproxy(TCP.replace("{target}", target)) as address:
        yield address


@contextmanager
def haproxy_of_requests(target: str) -> Iterator[str]:
    """Run HAProxy that passes all callers' requests over HTTP/1.1 on, on one connection to the server while it can."""
    with _haproxy(REQUESTS.replace("{target}", target)) as address:
        yield address


@contextmanager
def _haproxy(config: str, port: int | None = None) -> Iterator[str]:
    """Run HAProxy with a configuration that says {listens} where its address stands."""
    with tempfile.TemporaryDirectory(dir=SHORT) as folder:
        file, listens = Path(folder) / "haproxy.cfg", f"127.0.0.1:{port}" if port else f"unix@{folder}/socket"
        file.write_text(config.replace("{listens}", listens), encoding="utf-8")
        with _started(["haproxy", "-db", "-f", file], Path(folder), port) as address:
            yield address


@contextmanager
def nginx(target: str) -> Iterator[str]:
    """Run nginx with grpc_pass, which keeps connections to the server open."""
    with _nginx(target=target, passes="grpc_pass grpc", http2="on", kept=16) as address:
        yield address


@contextmanager
def nginx_of_requests(target: str) -> Iterator[str]:
    """Run nginx that passes all callers' requests over HTTP/1.1 on, on one connection to the server while it can."""
    with _nginx(target=target, passes="proxy_pass http", http2="off", kept=1) as address:
        yield address


@contextmanager
def _nginx(**options: str | int) -> Iterator[str]:
    """Run nginx with NGINX's options."""
    with tempfile.TemporaryDirectory(dir=SHORT) as folder:
        file, listens = Path(folder) / "nginx.conf", f"unix:{folder}/socket"
        Path(folder).chmod(0o755)  # its workers may have a user of their own, who writes bodies there
        temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in WRITTEN)
        file.write_text(NGINX.format(folder=folder, listens=listens, temporary=temporary, **options), encoding="utf-8")
        with _started(["nginx", "-e", "stderr", "-p", folder, "-c", file], Path(folder)) as address:
            yield address


@contextmanager
def _held_port() -> Iterator[int]:
    """Take a port that nobody else is given meanwhile: it is bound, and a proxy alone listens."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def _started(command: Sequence[str | Path], folder: Path, port: int | None = None) -> Iterator[str]:
    """Run a program, or skip; yield its address, of its socket or `port`, once it listens there."""
    name, log = str(command[0]), folder / "log"
    found = shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")  # not on everybody's path
    if found is None:
        pytest.skip(f"{name} is missing (Debian: apt-get install {name})")
    with log.open("w") as errors:
        process = subprocess.Popen([found, *command[1:]], stderr=errors)
    try:
        index = str(folder / "socket") if port is None else ("127.0.0.1", port)
        assert eventually(lambda: _listens(index), within_s=TIMEOUT_S), log.read_text()
        yield f"unix:{index}" if port is None else f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


def _listens(place: str | tuple[str, int]) -> bool:
    with socket.socket(socket.AF_UNIX if isinstance(place, str) else socket.AF_INET) as caller:
        return caller.connect_ex(place) == 0

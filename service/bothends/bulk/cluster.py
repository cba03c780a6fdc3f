"""Many files by models on a Ray cluster: Ray Data says which file goes where, actors hold the models. Knows no format.

plan → cluster → Ray Data → actor → node → job, run, sinks …
(files) (here)             (on each node, a file after another as `bothends embed` does it)
"""

import json
import logging
import os
import platform
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from importlib.metadata import version
from tempfile import TemporaryDirectory
from typing import Any

import click

from ..errors import BothendsError, ConnectionFailedError, DeviceError, EngineError, SettingsError
from . import actor
from .outcome import Outcome
from .places import Folder
from .plan import File, Plan, files
from .progress import files_bar
from .records import Records

_FILES_AT_ONCE = 2
"""Of an actor: while one file is begun or given its name, the model has the other."""
_MOST_WORKERS = 8
"""CPUs of an actor by default: one interpreter reads, tokenises and writes for all of them."""
_MOST_BLOCKS = 5000
_STORE_BYTES = 100 << 20
"""Ray's own memory on this machine. Only names and counts are in it."""
_CONNECT_S = 5.0
_INTERRUPTED = 130


def embed(plan: Plan, address: str | None) -> int:
    """Do it, on the cluster at `address` or one that is started for it; returns the exit code. Raises what is wrong."""
    every, unknown = files(plan)
    if unknown:
        _say(f"{len(unknown)} of {len(every) + len(unknown)} files have no known format, so {unknown[0]} is left out")
    with _connected(address, plan) as ray:
        outcome, began = Outcome(plan), time.monotonic()
        try:
            _run(ray, plan, every, outcome)
        except KeyboardInterrupt:
            _say(f"stopped after {outcome.files:,} of {len(every):,} files; the same command goes on from there")
            return _INTERRUPTED
        except ray.exceptions.RayError as error:
            what = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            raise EngineError(f"Ray gave up ({what}); what was written stays, and the same command goes on") from None
        Records(Folder(plan.output)).end()
        _say(outcome.summary(time.monotonic() - began))
    return outcome.code


def _run(ray: Any, plan: Plan, every: Sequence[File], outcome: Outcome) -> None:
    is_shown = sys.stderr.isatty()
    ray.cloudpickle.register_pickle_by_value(actor)  # goes there whole
    board = ray.remote(num_cpus=0)(actor.Board).remote() if is_shown else None
    size, cpus, gpus = _pool(ray, plan, len(every))
    items = [{"file": json.dumps(asdict(file))} for file in every]
    answers = ray.data.from_items(items, override_num_blocks=min(len(items), _MOST_BLOCKS)).map_batches(
        actor.Actor,
        batch_size=1,
        fn_constructor_args=(_versions(), asdict(plan) | {"model": plan.model | {"workers": cpus}}, board),
        compute=ray.data.ActorPoolStrategy(
            size=size, max_concurrent_calls_per_actor=_FILES_AT_ONCE, enable_true_multi_threading=True
        ),
        num_cpus=cpus,
        num_gpus=gpus,
    )
    total = sum(file.bytes for file in every)
    shown = files_bar(len(every), total, lambda: ray.get(board.look.remote())) if board else nullcontext(lambda: None)
    with shown as one_more:
        for row in answers.iter_rows():
            outcome.add(json.loads(row["answer"]))
            one_more()


def _pool(ray: Any, plan: Plan, files: int) -> tuple[int, int, int]:
    """How many actors, with how many CPUs and GPUs each."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    if not nodes:
        raise DeviceError("no node of this Ray cluster has a CPU to give")
    gpus = sum(int(node.get("GPU", 0)) for node in nodes)
    device = plan.model.get("device", "auto")
    smallest = int(min(node["CPU"] for node in nodes))
    cpus = plan.model.get("workers") or min(smallest, _MOST_WORKERS)
    if device == "cuda" and not gpus:
        raise DeviceError("--device cuda: no node of this Ray cluster has a GPU")
    if gpus and device != "cpu":
        return min(files, gpus), 1, 1
    room = sum(int(node["CPU"]) // cpus for node in nodes)
    if not room:
        raise SettingsError(f"--workers {cpus}: no node of this Ray cluster has as many CPUs")
    return min(files, room), cpus, 0


def _versions() -> dict[str, str]:
    """What nodes must have as it is here, that they give the same bytes."""
    return {"Python": platform.python_version(), "bothends": version("bothends")}


@contextmanager
def _connected(address: str | None, plan: Plan) -> Iterator[Any]:
    """Ray, whose cluster is reached, or started and stopped. It is imported here, once it is asked for."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # of its C++ parts, which write to standard error
    if address not in (None, "auto", "local"):
        _must_answer(address)
    import ray
    import ray.data

    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "CRITICAL"}
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    ray.data.DataContext.get_current().enable_progress_bars = False
    with ExitStack() as started:
        if address in (None, "local"):
            folder = started.enter_context(TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True))
            cpus = max(plan.model.get("workers") or 1, len(os.sched_getaffinity(0)))
            quiet |= {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": _STORE_BYTES}
            quiet |= {"_temp_dir": folder, "_node_ip_address": "127.0.0.1"}
        started.callback(ray.shutdown)
        try:
            with _muted():
                ray.init(address or "local", **quiet)
        except BothendsError:
            raise
        except Exception as error:  # Ray has RuntimeError, ConnectionError, ValueError and others for it
            raise ConnectionFailedError(f"Ray at {address or 'this machine'}: {' '.join(str(error).split())}") from None
        yield ray


@contextmanager
def _muted() -> Iterator[None]:
    """Nothing on standard error, where Ray's C++ parts say how they were configured; what is wrong, Ray raises."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _must_answer(address: str) -> None:
    """Raises at once what Ray would take a minute to find out."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise SettingsError(f"--address {address}: say HOST:PORT of a Ray cluster that this machine is a node of")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise ConnectionFailedError(f"no Ray cluster answers at {address}: {error}") from None


def _say(line: str) -> None:
    click.echo(line, err=True)

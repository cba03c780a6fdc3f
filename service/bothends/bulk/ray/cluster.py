"""Embeds many files on a Ray cluster: Ray Data distributes the files, and actors with a model each embed them.

plan → cluster → Ray Data → actor → node → job, run, sinks …
(files) (here)             (on each node, a file after another as `bothends embed` does it)
"""

import json
import logging
import os
import platform
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import asdict
from importlib.metadata import version
from tempfile import TemporaryFile, mkdtemp
from typing import Any

import click
import grpc

from ...errors import ConnectionFailedError, DeviceError, EngineError, FileError, SettingsError
from ..progress import files_bar
from . import actor
from .manifest import Manifest
from .plan import File, Plan, files
from .storage import OutputFolder
from .summary import RunSummary

_FILES_AT_ONCE = 2
"""Number of files that an actor has at once: while one is opened or renamed, the model works on the other."""
_MAX_WORKERS = 8
"""Largest number of CPUs of an actor by default, since one interpreter reads, tokenises and writes for all of them."""
_MAX_BLOCKS = 5000
_STORE_BYTES = 100 << 20
"""Ray's own memory on this machine, in which only names and counts are kept."""
_CONNECT_S, _PAUSE_S = 5.0, 0.1
_SETTLE_S = 30.0
_INTERRUPTED = 130


def embed(plan: Plan, address: str | None) -> int:
    """Run `plan` on the cluster at `address`, or on one that is started for it; returns the exit code.

    Raises BothendsError for what is wrong with the whole run.
    """
    every, unknown = files(plan)
    if unknown:
        _say(f"{len(unknown)} of {len(every) + len(unknown)} files have no known format, so {unknown[0]} is left out")
    with _connected(address, plan) as ray:
        summary, began = RunSummary(plan), time.monotonic()
        try:
            _run(ray, plan, every, summary)
        except KeyboardInterrupt:
            _say(f"stopped after {summary.files:,} of {len(every):,} files; the same command goes on from there")
            return _INTERRUPTED
        except ray.exceptions.RayError as error:
            what = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
            raise EngineError(f"Ray gave up ({what}); what was written stays, and the same command goes on") from None
        if summary.fatal:
            raise summary.fatal
        _say(summary.line(time.monotonic() - began))
        with suppress(FileError) if summary.exit_code else nullcontext():  # a full disk was reported already
            Manifest(OutputFolder(plan.output)).mark_ended()
    return summary.exit_code


def _run(ray: Any, plan: Plan, every: Sequence[File], summary: RunSummary) -> None:
    is_shown = sys.stderr.isatty()
    ray.cloudpickle.register_pickle_by_value(actor)  # goes there whole
    board = ray.remote(num_cpus=0)(actor.ProgressBoard).remote() if is_shown else None
    size, cpus, gpus = _pool(ray, plan, len(every))
    items = [{"file": json.dumps(asdict(file))} for file in every]
    answers = ray.data.from_items(items, override_num_blocks=min(len(items), _MAX_BLOCKS)).map_batches(
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
    shown = files_bar(len(every), total, lambda: ray.get(board.totals.remote())) if board else nullcontext(lambda: None)
    with shown as one_more:
        for batch in answers.iter_batches(batch_size=None, prefetch_batches=0):
            for answer in batch["answer"]:
                summary.add(json.loads(answer))
                one_more()
            if summary.fatal:  # not raised here: a traceback would hold the iterator, which keeps Ray Data at work
                break


def _pool(ray: Any, plan: Plan, files: int) -> tuple[int, int, int]:
    """Return how many actors to start, and how many CPUs and GPUs each gets."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) >= 1]
    if not nodes:
        raise DeviceError("no node of this Ray cluster has a CPU to give")
    gpus = sum(int(node.get("GPU", 0)) for node in nodes)
    device = plan.model.get("device", "auto")
    smallest = int(min(node["CPU"] for node in nodes))
    cpus = plan.model.get("workers") or min(smallest, _MAX_WORKERS)
    if device == "cuda" and not gpus:
        raise DeviceError("--device cuda: no node of this Ray cluster has a GPU")
    if gpus and device != "cpu":
        return min(files, gpus), 1, 1
    room = sum(int(node["CPU"]) // cpus for node in nodes)
    if not room:
        raise SettingsError(f"--workers {cpus}: no node of this Ray cluster has as many CPUs")
    return min(files, room), cpus, 0


def _versions() -> dict[str, str]:
    """Return the versions that nodes must have as this machine does, so that they give the same bytes."""
    return {"Python": platform.python_version(), "bothends": version("bothends")}


@contextmanager
def _connected(address: str | None, plan: Plan) -> Iterator[Any]:
    """Yield Ray, connected to a cluster, or to one that is started and stopped. It is imported only here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # of its C++ parts, which write to standard error
    if address not in (None, "auto", "local"):
        check_answers(address)
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what is wrong is raised, too
    ray.data.DataContext.get_current().enable_progress_bars = False
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    with ExitStack() as started:
        if address in (None, "local"):
            cpus = max(plan.model.get("workers") or 1, len(os.sched_getaffinity(0)))
            options |= {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": _STORE_BYTES}
            options |= {"_temp_dir": started.enter_context(_folder()), "_node_ip_address": "127.0.0.1"}
        started.callback(ray.shutdown)
        started.callback(_settle)
        _init(ray, address or "local", options)
        yield ray


def _init(ray: Any, address: str, options: dict[str, Any]) -> None:
    """Start Ray, and hold back what its C++ parts write to standard error unless something is wrong."""
    sys.stderr.flush()
    kept = os.dup(2)
    with TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            ray.init(address, **options)
        except (
            Exception,
            SystemExit,
        ) as error:  # it has RuntimeError, ConnectionError, ValueError, SystemExit, … for it
            written.seek(0)
            lines = written.read().decode(errors="replace").splitlines()
            last = [line for line in lines if "network_util" not in line][-1:]  # which has nothing to do with it
            why = " ".join(" ".join([str(error), *last]).split())
            where = "can't be started here" if address == "local" else f"can't be joined at {address}"
            hint = "; where it has a token, set RAY_AUTH_MODE=token" if "Unauthenticated" in why else ""
            raise ConnectionFailedError(f"Ray {where}: {why}{hint}") from None
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    logging.getLogger("ray").setLevel(logging.CRITICAL)


def _settle() -> None:
    """Wait for Ray Data's own threads to end: one that asks Ray for something after it stopped ends this process."""
    for thread in threading.enumerate():
        if thread.name.startswith("StreamingExecutor"):
            thread.join(_SETTLE_S)


@contextmanager
def _folder() -> Iterator[str]:
    """Yield a folder for Ray's files and logs, and remove it. Ray's processes may write there a moment longer."""
    folder = mkdtemp(prefix="ray-")
    try:
        yield folder
    finally:
        until = time.monotonic() + _CONNECT_S
        while os.path.lexists(folder) and time.monotonic() < until:
            shutil.rmtree(folder, ignore_errors=True)
            time.sleep(_PAUSE_S)


def check_answers(address: str, *, within_s: float = _CONNECT_S) -> None:
    """Check that a gRPC server answers at `address` within `within_s` seconds. Ray alone would take minutes to notice.

    Raises SettingsError for a malformed address, and ConnectionFailedError if none answers.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        raise SettingsError(f"--address {address}: say HOST:PORT of a Ray cluster that this machine is a node of")
    if os.environ.get("RAY_USE_TLS", "0") != "0":
        return
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(within_s)
        except grpc.FutureTimeoutError:
            raise ConnectionFailedError(f"no Ray cluster answers at {address} within {within_s:g} s") from None


def _say(line: str) -> None:
    click.echo(line, err=True)

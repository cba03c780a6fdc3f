"""Triton with the packaged bundle behind its Python backend, from the wheel that carries its server.

`make .venv/.triton` puts the wheel into a folder of its own, the only place where it is looked for: its server is a
program, and nothing of it is imported here.
"""

import os
import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

import click

from bothends.model.bundle import Bundle, default_path
from processes import Process, free_port
from results import TRITON
from servers import HERE, PEERS, Server

FOLDER = Path(sys.prefix) / "triton"
BATCHES = (1, 8, 32)
"""Sentences that Triton's batches should hold; 1 batches nothing. Its best for a load is the best of these."""
_SERVER = FOLDER / "pytriton" / "tritonserver"
_STUB = _SERVER / "python_backend_stubs" / f"{sys.version_info[0]}.{sys.version_info[1]}" / "triton_python_backend_stub"
_CONFIG = """
backend: "python"
max_batch_size: 1024
input [{{name: "sentences" data_type: TYPE_STRING dims: [1]}}]
output [{{name: "embeddings" data_type: TYPE_FP32 dims: [{dimension}]}}]
instance_group [{{count: {workers} kind: KIND_CPU}}]
"""
_MODEL = """
import sys

sys.path[:0] = {folders!r}  # Triton's interpreter reads no variables of Python's own

from triton_model import TritonPythonModel
"""


def start_triton(batch: int, logs: Path, *, workers: int) -> Server:
    """Start Triton with an instance a worker. It waits for no company: a batch is what came while instances were busy.

    Raises ClickException where it can't run.
    """
    if not _STUB.exists():
        raise click.ClickException(f"{_STUB} is missing; `make .venv/.triton` installs it where it can")
    name, port = f"{TRITON} {batch}", free_port()
    dimension = Bundle.open(default_path()).config.dimension
    folder = logs / name.replace(" ", "-")  # its shell would take a space for the end
    _write_model(folder / "models" / "embed", batch, workers=workers, dimension=dimension)
    _link_backend(folder / "backends" / "python")
    command = [str(_SERVER / "bin" / "tritonserver"), f"--model-repository={folder / 'models'}"]
    command += [f"--backend-directory={folder / 'backends'}", "--allow-http=false", "--allow-metrics=false"]
    command += ["--grpc-address=127.0.0.1", f"--grpc-port={port}"]
    libraries = [sysconfig.get_config_var("LIBDIR"), str(FOLDER / "nvidia_pytriton.libs")]
    variables = {"LD_LIBRARY_PATH": os.pathsep.join(libraries)}
    ready = "Started GRPCInferenceService"
    process = Process(name, command, ready=ready, log=logs / f"{name}.log", variables=variables)
    flags = ("--path", "/inference.GRPCInferenceService/ModelInfer", "--body", "infer", "--model", "embed")
    return Server(name, process, port, flags, dimension=dimension)


def version() -> dict[str, str]:
    """Return the wheel's name and version, where it is here."""
    return {each.name: each.version for each in distributions(name="nvidia-pytriton", path=[str(FOLDER)])}


def _write_model(folder: Path, batch: int, *, workers: int, dimension: int) -> None:
    """Write a repository's entry; the model itself stands in peers/."""
    (folder / "1").mkdir(parents=True)
    folders = [str(FOLDER), str(PEERS), str(HERE), *filter(None, sys.path)]
    (folder / "1" / "model.py").write_text(_MODEL.format(folders=folders), encoding="utf-8")
    batching = "" if batch == 1 else f"dynamic_batching {{preferred_batch_size: [{batch}]}}\n"
    config = _CONFIG.format(workers=workers, dimension=dimension) + batching
    (folder / "config.pbtxt").write_text(config, encoding="utf-8")


def _link_backend(folder: Path) -> None:
    """Put the backend together: its library, and the interpreter that fits this Python."""
    folder.mkdir(parents=True)
    for part in (_STUB, *(_SERVER / "backends" / "python").iterdir()):
        (folder / part.name).symlink_to(part)

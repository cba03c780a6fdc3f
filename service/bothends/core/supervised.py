"""Loads the models that the settings ask for, and makes the embedder and the supervisor of each."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ..errors import BothendsError
from ..model.bundle import default_path
from ..model.versions import Fingerprint, fingerprint, newest
from ..observe.metrics import Metrics
from ..settings import ModelSettings, OneModel
from .embedder import Embedder
from .loaded import LoadedModel
from .proof import Prove, prove
from .queue import queue_of
from .supervisor import Supervisor
from .takeover import opened


class Supervised(NamedTuple):
    """A model's embedder, its supervisor, which is to be started, and the bytes of memory that loading it took."""

    embedder: Embedder
    supervisor: Supervisor
    memory_bytes: int


class _Found(NamedTuple):
    """A model that was loaded, and what its supervisor has to know of where it came from."""

    name: str | None
    settings: ModelSettings
    model: LoadedModel
    root: Path
    seen: Fingerprint
    load: Callable[..., LoadedModel]
    prove: Prove
    memory_bytes: int


def load_supervised(
    settings: ModelSettings,
    metrics: Metrics,
    *,
    on_fitness: Callable[[str, bool], None],
    on_reload: Callable[[], None] = lambda: None,
    on_lost: Callable[[], None] = lambda: None,
) -> list[Supervised]:
    """Load the models that `settings` name, in order, which share one queue, and make their supervisors.

    `on_fitness` is called with a model's name; `on_reload` and `on_lost` once for all. Unless a model is the packaged
    one, a process of its own proves it first. Raises BundleError or DeviceError, which names the model where there are
    several.
    """
    found = [_load(one) for one in settings.models]
    queue = queue_of([one.model for one in found], settings, metrics)
    supervised = []
    for place, one in enumerate(found):
        embedder = Embedder(one.model, settings=one.settings, metrics=metrics, name=one.name, queue=queue)
        supervisor = Supervisor(
            embedder,
            one.root,
            one.load,
            prove=one.prove,
            seen=one.seen,
            selftest_s=settings.selftest_s,
            reload_s=settings.reload_s,
            on_fitness=partial(on_fitness, embedder.name),
            on_reload=(lambda: None) if place else on_reload,
            on_lost=on_lost,
        )
        supervised.append(Supervised(embedder, supervisor, one.memory_bytes))
    return supervised


def _load(one: OneModel) -> _Found:
    """Load one model. Raises BundleError or DeviceError."""
    name, settings = one
    root = settings.bundle or default_path()
    load, prove_apart = partial(LoadedModel.load, settings=settings), partial(prove, settings=settings)
    before = _resident_bytes()
    with _naming(name):
        path, seen = newest(root), fingerprint(root)
        with closing(prove_apart(path, niceness=0)) as proof:  # nobody is kept waiting yet, but for who starts it
            bundle = opened(path, proof.result())
        model = load(bundle)
    return _Found(name, settings, model, root, seen, load, prove_apart, max(0, _resident_bytes() - before))


@contextmanager
def _naming(name: str | None) -> Iterator[None]:
    """Have what is raised inside `with` say which of several models it is about."""
    try:
        yield
    except BothendsError as error:
        if name is not None:
            error.args = (f"--bundle {name}=…: {error}", *error.args[1:])
        raise


def _resident_bytes() -> int:
    """Return the bytes of memory that this process has now; 0 where nothing tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")

"""Loads the model that the settings ask for, and makes its embedder and its supervisor."""

from collections.abc import Callable
from contextlib import closing
from functools import partial

from ..model.bundle import default_path
from ..model.versions import fingerprint, newest
from ..observe.metrics import Metrics
from ..settings import ModelSettings
from .embedder import Embedder
from .loaded import LoadedModel
from .proof import prove
from .supervisor import Supervisor
from .takeover import opened


def load_supervised(
    settings: ModelSettings,
    metrics: Metrics,
    *,
    on_fitness: Callable[[bool], None],
    on_reload: Callable[[], None] = lambda: None,
    on_lost: Callable[[], None] = lambda: None,
) -> tuple[Embedder, Supervisor]:
    """Load the model that `settings` name, and make its supervisor, which calls the others; start that.

    Unless the model is the packaged one, a process of its own proves it first. Raises BundleError or DeviceError.
    """
    root = settings.bundle or default_path()
    load, prove_apart = partial(LoadedModel.load, settings=settings), partial(prove, settings=settings)
    path, seen = newest(root), fingerprint(root)
    with closing(prove_apart(path, niceness=0)) as proof:  # nobody is kept waiting yet, but for who starts it
        bundle = opened(path, proof.result())
    embedder = Embedder(load(bundle), settings=settings, metrics=metrics)
    supervisor = Supervisor(
        embedder,
        metrics,
        root,
        load,
        prove=prove_apart,
        seen=seen,
        selftest_s=settings.selftest_s,
        reload_s=settings.reload_s,
        on_fitness=on_fitness,
        on_reload=on_reload,
        on_lost=on_lost,
    )
    return embedder, supervisor

"""Finds the bundle that is to replace the served one, checks it, and has it proved by a separate process."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ..errors import BundleError
from ..model.bundle import Bundle, check, read_config
from ..model.versions import newest
from .loaded import LoadedModel
from .proof import Prove, digest

_LOOK_S = 0.05
"""Time between two looks at what happens meanwhile."""


def newer(root: Path, served: LoadedModel, prove: Prove, *, meanwhile: Callable[[], None]) -> Bundle | None:
    """Open the bundle in the folder `root` that is to be served; None if it is served already, and healthy.

    Nothing but its hashes enters this process's memory before the hashes are checked and `prove` has succeeded.
    `meanwhile` is called repeatedly while that is in progress; what it raises ends it. Raises BundleError, also if it
    is the served version with other content, or has another name or dimension.
    """
    path = newest(root).resolve()
    if (others := served.another(read_config(path))) is not None:
        raise BundleError(
            f"{path} is another model, {others}, whose vectors its callers can't compare with what they have; "
            "a restart serves it"
        )
    if _is_served(path, served) and not served.is_withdrawn:
        return None
    with closing(prove(path)) as proof:
        while not proof.has_ended(_LOOK_S):
            meanwhile()
        found = proof.result()
    return opened(path, found)


def opened(path: Path, proved: str) -> Bundle:
    """Open the bundle at `path`. Raises BundleError, also if its digest isn't `proved`."""
    bundle = Bundle.open(path)
    if digest(bundle.config) != proved:
        raise BundleError(f"{path} has changed while it was proved")
    return bundle


def opened_again(served: LoadedModel) -> Bundle:
    """Open the bundle from which `served` was made. Raises BundleError, also if it has changed."""
    if not _is_served(served.path, served):
        raise BundleError(f"{served.path} holds another version than the served one")
    return opened(served.path, digest(served.config))


def _is_served(path: Path, served: LoadedModel) -> bool:
    """Return True if the bundle at `path`, whose hashes are right, is the served one, without loading it.

    Raises BundleError, also if it is the served version with other content.
    """
    config = check(path)
    if served.config.version == config.version and not served.matches(config):
        raise BundleError(
            f"{path} is version {config.version}, which is served, with other content; "
            "a changed model needs a version of its own"
        )
    return served.matches(config)

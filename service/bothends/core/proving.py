"""Program that proof.py starts to prove a bundle: it reads its task from standard input and prints its verdict.

Before it reads a byte of the bundle, it limits its own memory and takes the lowest priority, so that the server is
undisturbed and the kernel kills this process first.
"""

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import BothendsError, BundleError, SelfTestError
from ..model.bundle import Bundle
from ..model.tokenizer import Tokenizer
from ..settings import EmbedderSettings
from . import memory
from .loaded import LoadedModel
from .proof import digest

_TOKENIZER_S, _TOKENIZER_S_PER_MIB = 2.0, 0.5
"""Processor seconds that a tokenizer may take to load and to read the golden sentences, since a server would stand
still that long. One of 15 MB took 0.9, and 3.5 on a busy machine."""


def bound(max_bytes: int, max_s: int, niceness: int) -> None:
    """Limit this process's memory (bytes) and time (seconds), and lower its priority.

    Windows and macOS lack some limits.
    """
    with suppress(OSError):
        os.nice(niceness)
    with suppress(OSError):  # where memory is short, the kernel ends this one, and not the server
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    try:
        import resource
    except ImportError:
        return
    used = memory.address_space()
    for kind, most in (
        (resource.RLIMIT_AS, used + max_bytes),
        (resource.RLIMIT_CPU, max_s),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def verdict(path: Path, settings: EmbedderSettings) -> dict[str, Any]:
    """Prove the bundle at `path` on a CPU, as a server would load it.

    Errors of the machine give no verdict: they are raised.
    """
    try:
        bundle = Bundle.open(path)
        _check_tokenizer(bundle)
        LoadedModel.load(bundle, settings)
    except SelfTestError as error:
        return {"self_test": str(error), "difference": error.difference}
    except BundleError as error:
        return {"bundle": str(error)}
    except BothendsError:  # the device or engine that was asked for: the server will say so itself
        pass
    except MemoryError:
        return {"bundle": f"{path}: proving it takes more memory than it may"}
    return {"proved": digest(bundle.config)}


def _check_tokenizer(bundle: Bundle) -> None:
    """Raise BundleError if the tokenizer takes longer than a server may stand still."""
    began, source = time.process_time(), bundle.path / "tokenizer.json"
    Tokenizer(bundle.tokenizer, max_tokens=bundle.config.max_tokens, source=source).encode(bundle.golden.sentences)
    took_s, max_s = time.process_time() - began, _TOKENIZER_S + _TOKENIZER_S_PER_MIB * (len(bundle.tokenizer) >> 20)
    if took_s > max_s:
        raise BundleError(f"{source} takes {took_s:.1f} s to be read and tried; {max_s:.1f} s are the most")


def main() -> None:
    """Prove the bundle that the JSON task on standard input names, within the task's limits of memory and time, and
    print the verdict as JSON.
    """
    asked = json.load(sys.stdin)
    bound(asked["max_bytes"], asked["max_s"], asked["niceness"])
    settings = EmbedderSettings.model_validate(asked["settings"]).model_copy(update={"device": "cpu", "workers": 1})
    print(json.dumps(verdict(Path(asked["path"]), settings)))  # noqa: T201  for whoever asked


if __name__ == "__main__":
    main()

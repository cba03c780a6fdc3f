"""An output gets its name in several steps; a kill between any two of them is made good by the next run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bothends.bulk.engines import LocalEngine
from bothends.bulk.execute import execute
from bothends.bulk.job import Job
from bothends.bulk.journal import Journal
from bothends.encoder import Encoder
from bothends.model.bundle import Bundle
from bothends.options import EmbedOptions

from . import files
from .conftest import write_lines


class Killed(BaseException):
    """What no code expects."""


def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make what changes files raise at its `n`th call, before or after it was done."""
    state = {"left": 10**9}

    def counted(act: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            for moment in ("before", "after"):
                state["left"] -= 1
                if not state["left"]:
                    raise Killed
                if moment == "before":
                    result = act(*args, **options)
            return result

        return wrapped

    for where, names in ((Path, ("replace", "unlink")), (Journal, ("write", "remove"))):
        for name in names:
            monkeypatch.setattr(where, name, counted(getattr(where, name)))
    return lambda left: state.update(left=left)


@pytest.mark.parametrize("output", files.OUTPUTS)
def test_every_step_of_the_end_may_be_the_last(
    toy_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    """Files are named one after another: stopped before or after each step, the next run does the rest."""
    texts = ["dragons", "", "a man"]
    source = write_lines(tmp_path / "in.txt", texts)

    def job(made: Path) -> int:
        options = EmbedOptions(truncation="start", normalize=False, dimensions=None, encoding="float32")
        engine = lambda: LocalEngine(Encoder.load(toy_bundle.path, device="cpu"), options)  # noqa: E731
        return execute(Job(source, made, "txt", output, None, (), False, options), engine)

    job(tmp_path / f"whole.{output}")
    right = [(tmp_path / f"whole.{output}{suffix}").read_bytes() for suffix in ("", ".bad.jsonl")]
    die_at = steps(monkeypatch)
    for step in range(1, 100):
        made = tmp_path / f"made{step}.{output}"
        die_at(step)
        try:
            job(made)
        except Killed:
            die_at(10**9)
            if not made.exists() or made.with_name(made.name + ".journal").exists():
                job(made)
        else:
            break
        assert [Path(f"{made}{suffix}").read_bytes() for suffix in ("", ".bad.jsonl")] == right, step
        assert files.beside(made) == [f"{made.name}.bad.jsonl"], step
    assert step > 12, "too few steps were found to stop at"
    die_at(10**9)

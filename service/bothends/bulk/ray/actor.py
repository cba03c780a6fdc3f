"""Actor that Ray starts on a node, where it holds a model and embeds one file after another.

Its code is sent to the node and imports nothing of bothends until it runs. So it can report what a node lacks, where
Ray would only report that the actor died. Its answers are JSON, without any text of a sentence.
"""

import importlib.metadata
import json
import os
import platform
import threading
import time
from typing import Any

_EVERY_S = 0.5


class Actor:
    """Model on a node, which embeds one file per call, several in parallel.

    It never raises, since Ray would log the error.
    """

    def __init__(self, versions: dict[str, str], plan: dict[str, Any], board: Any) -> None:
        """Load the model of `plan`. `versions` are the caller's; `board`, if any, gets the progress of each file."""
        self._node, self._board, self._where = None, board, platform.node()
        threading.Thread(target=_exit_with, args=(os.getppid(),), daemon=True).start()
        self._answer: dict[str, Any] = {"is_fatal": True, "is_setting": False, "node": self._where}
        for name, wanted in versions.items():
            found = platform.python_version() if name == "Python" else _version(name)
            if found != wanted:
                self._answer["problem"] = f"{name} is {found} there, and {wanted} where the command runs"
                return
        try:
            from bothends.bulk.ray.node import Node, describe_error

            try:
                self._node = Node(plan)
            except Exception as error:
                self._answer |= describe_error(error)
        except ImportError as error:
            self._answer["problem"] = f"{error.name} is missing there"

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Embed the one file of `batch`."""
        file = json.loads(batch["file"][0])
        answer = self._answer if self._node is None else {"node": self._where, **self._node.embed(file, self._advance)}
        return {"answer": [json.dumps({"output": file["output"], **answer})]}

    def _advance(self, output: str, done_bytes: int, rows: int) -> None:
        if self._board is not None:
            self._board.report.remote(output, done_bytes, rows)


class ProgressBoard:
    """Progress of all files, which actors report and the command reads."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[int, int]] = {}

    def report(self, output: str, done_bytes: int, rows: int) -> None:
        """Record how many bytes of an output's input were read, and how many rows this run has embedded."""
        self._files[output] = (done_bytes, rows)

    def totals(self) -> tuple[int, int]:
        """Return the total bytes and rows."""
        return sum(done for done, _ in self._files.values()), sum(rows for _, rows in self._files.values())


def _exit_with(parent: int) -> None:
    """End this process once its parent, Ray on this node, is gone: it would go on, and hold its files' locks."""
    while os.getppid() == parent:
        time.sleep(_EVERY_S)
    os._exit(1)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"

"""The packaged bundle behind mosec: lines of text in, float32 rows out. A peer for the benchmark, and tuned well.

It has bothends' own tokenizer and session, sorts by length what mosec batches, and answers raw bytes.

python benchmarks/peers/mosec_server.py --port 8000 --max-batch-size 4 --max-wait-ms 1 --run-rows 8
"""

import argparse
import sys

import numpy as np
from mosec import Server, Worker

from bothends.engines.onnxruntime import OnnxRuntimeEngine
from bothends.model.bundle import Bundle, default_path
from tokens import tokenizer_of


def flags() -> argparse.Namespace:
    """Flags of this file's own. Each worker process reads them anew, as mosec starts it with the same command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--max-batch-size", type=int, default=4, help="requests in one call of forward")
    parser.add_argument("--max-wait-ms", type=int, default=1, help="how long mosec waits for them")
    parser.add_argument("--run-rows", type=int, default=8, help="sentences in one run of the model")
    return parser.parse_known_args()[0]  # --address, --port and the like are mosec's


class Embed(Worker):
    """One process with one engine of one thread."""

    resp_mime_type = "application/octet-stream"

    def __init__(self) -> None:
        """Load the bundle."""
        super().__init__()
        bundle = Bundle.open(default_path())
        self._run_rows = flags().run_rows
        self._tokenizer = tokenizer_of(bundle)
        self._session = OnnxRuntimeEngine(bundle)
        self._dimension = bundle.config.dimension

    def deserialize(self, data: bytes) -> list[str]:
        """Return a request's sentences, one a line."""
        return data.decode().split("\n")

    def serialize(self, data: np.ndarray) -> bytes:
        """Return float32 rows in the request's order."""
        return data.tobytes()

    def forward(self, data: list[list[str]] | list[str]) -> list[np.ndarray] | np.ndarray:
        """Return rows of each request. Where mosec doesn't batch it hands over the one request, not a list of one."""
        if self.max_batch_size == 1:
            return self._embed(data)
        rows = self._embed([sentence for request in data for sentence in request])
        ends = np.cumsum([len(request) for request in data])
        return np.split(rows, ends[:-1])

    def _embed(self, sentences: list[str]) -> np.ndarray:
        ids = [tokens.ids for tokens in self._tokenizer.encode(sentences)]
        order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
        rows = np.empty((len(ids), self._dimension), dtype=np.float32)
        for start in range(0, len(order), self._run_rows):
            places = order[start : start + self._run_rows]
            rows[places] = self._session.run([ids[place] for place in places])
        return rows


def main() -> None:
    """Serve until SIGTERM."""
    chosen = flags()
    server = Server()
    server.append_worker(
        Embed, num=chosen.workers, max_batch_size=chosen.max_batch_size, max_wait_time=chosen.max_wait_ms
    )
    server.run()


if __name__ == "__main__":
    sys.exit(main())

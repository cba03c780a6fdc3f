"""A thread that handles the calls of a queue."""

import threading

from bothends.server.grpc.completion import CallQueue


def pulling(queue: CallQueue) -> threading.Thread:
    """Start a thread that handles what comes to `queue`, until it ends."""

    def pull() -> None:
        while queue.wait() and queue.pull(64):
            pass

    thread = threading.Thread(target=pull)
    thread.start()
    return thread

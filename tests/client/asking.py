"""A client's core over real channels, whose clock and dice the test holds."""

from collections.abc import Callable

from bothends import Retry
from bothends.client.channel import Endpoint
from bothends.client.core import ClientCore
from bothends.client.sync import BlockingTransport
from bothends.client.transport import run_blocking
from bothends.embeddings import Embeddings


class Watched(BlockingTransport):
    """The client's own transport over a real channel. Sleeping moves its clock, and is written down."""

    def __init__(self, endpoint: Endpoint, then: Callable[[int], None]) -> None:
        super().__init__(endpoint)
        self.now = 0.0
        self.waits: list[float] = []
        self._then = then

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)
        self._then(len(self.waits))


class Asking:
    """A client's core with such transports, and dice that always fall the same."""

    def __init__(
        self,
        target: str,
        *,
        retry: Retry = Retry(),  # noqa: B008  frozen
        timeout_s: float = 30.0,
        dice: float = 0.5,
        then: Callable[[int], None] = lambda _: None,
    ) -> None:
        transports = [Watched(endpoint, then) for endpoint in Endpoint.of(target).each()]
        self.transport = transports[0]
        self._core = ClientCore(
            transports,
            name=target,
            retry=retry,
            timeout_s=timeout_s,
            clock=lambda: self.transport.now,
            dice=lambda: dice,
        )

    def embed(self, *sentences: str) -> Embeddings:
        return run_blocking(self._core.embed(sentences, None))

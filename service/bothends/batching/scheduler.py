"""Decides which waiting sentences form the next batch, and which requests are refused for lack of room or time.

The queue is bounded and fair, and sentences of similar length run together. The batcher calls it under its own lock.
"""

from collections.abc import Callable, Sequence

from ..engines.contract import TokenIds
from ..errors import DeadlineError, OverloadedError
from .budgets import Budgets
from .choose import choose
from .fairqueue import FairQueue
from .request import Depth, Request, Sentence

_OVERTAKEN = 2.0
"""Work served before a request's last sentence, as a multiple of what waits before it. Under a steady load of lists,
each finished list is followed by another, whose first sentences come before the last ones of those that wait: as
much again. Only lists meet this bound; a single sentence is refused sooner, and is never overtaken."""
_OF_A_LIST = 4
"""Number of sentences of one list that are counted as company for others', however long the list is."""
_WINDOW = 64
"""Least number of sentences whose turn is next that a batch is chosen from: never fewer than it may hold."""


class Scheduler:
    """Sentences that wait, and the choice of the batches that they run in."""

    def __init__(self, budgets: Budgets, seconds_for: Callable[[float], float]) -> None:
        """Start empty. `seconds_for` returns the estimated seconds of an amount of work, in tokens of a model whose
        cost is 1. `budgets` limit what waits in all; each model's own, in its terms, limit its batches.
        """
        self._seconds_for = seconds_for
        self._max_queue_tokens = budgets.max_queue_tokens
        self._window = max(_WINDOW, budgets.max_batch_rows)
        self._queue = FairQueue()

    def __bool__(self) -> bool:
        return bool(self._queue)

    @property
    def depth(self) -> Depth:
        """Number of requests, sentences and tokens that wait."""
        return Depth(self._queue.requests, self._queue.sentences, self._queue.tokens)

    @property
    def pause_s(self) -> float:
        """Seconds that it is worth waiting for more sentences to join the batch; 0 if none waits, or if enough do."""
        if not (window := self._queue.window(1)):
            return 0.0
        budgets = window[0].request.terms.budgets
        return budgets.max_wait_s if self._queue.sentences < budgets.max_batch_rows else 0.0

    @property
    def wait_s(self) -> float:
        """Estimated wait, in seconds, of a sentence of usual length that arrives now: a fair share of what waits."""
        sentences, work = self._queue.sentences, self._queue.work
        return self._seconds_for(self._queue.work_before(work / sentences)) if sentences else 0.0

    @property
    def wanted(self) -> int:
        """Number of further sentences that would make the next batches better; 0 or less if enough wait.

        It is also 0 or less once a quarter of the queue is full, since further sentences can as well wait outside.
        """
        if 4 * self._queue.tokens >= self._max_queue_tokens:
            return self._window - self._queue.sentences
        # Few go before a new caller's first, in turns of callers; yet of many lists each ends later for the others.
        of_lists = min(_OF_A_LIST * self._queue.requests, self._queue.sentences)
        return self._window - max(of_lists, self._queue.before_newcomer)

    def forget(self, request: Request) -> None:
        """Free the queue space of a request that no caller waits for."""
        self._queue.forget(request)

    def drain(self) -> set[Request]:
        """Empty the queue; returns the requests that were waiting."""
        return self._queue.drain()

    def put(self, request: Request, sentences: Sequence[TokenIds], *, now: float) -> None:
        """Queue a request.

        Raises OverloadedError for lack of room, or DeadlineError if its deadline would pass before all of it ran; then
        nothing is queued.

        Its sentences are queued in order of length, so that in a long list, neighbours have similar lengths.
        """
        tokens = sum(map(len, sentences))
        self.refuse_if_full(tokens)
        if request.deadline is not None:
            self._refuse_if_late(tokens * request.terms.cost, request.deadline, now=now)
        waiting = [Sentence(ids, request, index, now) for index, ids in enumerate(sentences)]
        waiting.sort(key=_length, reverse=True)  # long ones first, so that engines end together
        self._queue.put(request, waiting)

    def refuse_if_full(self, tokens: int) -> None:
        """Raise OverloadedError if there is no room for this many tokens."""
        waiting = self._queue.tokens
        # An empty queue takes any request, so that the bound can't refuse one for ever.
        if waiting and waiting + tokens > self._max_queue_tokens:
            raise OverloadedError(
                f"the queue is full: {waiting} tokens wait and {self._max_queue_tokens} may",
                retry_after_s=min(max(self._seconds_for(self._queue.work), 0.1), 10.0),
            )

    def _refuse_if_late(self, work: float, deadline: float, *, now: float) -> None:
        needed = self._seconds_for(_OVERTAKEN * self._queue.work_before(work) + work)
        if now + needed > deadline:
            raise DeadlineError(f"the deadline would pass: about {needed:.3f} s of work come first")

    def take_batch(self) -> list[Sentence]:
        """Take the sentence whose turn it is, and the sentences of its model that are cheapest to run with it; an empty
        list if all were cancelled.
        """
        window = self._queue.window(self._window)
        if not window:
            return []
        # Several models have sentences here, and while one takes over from another, both have.
        engine, budgets = window[0].request.engine, window[0].request.terms.budgets
        window = [sentence for sentence in window if sentence.request.engine is engine]
        chosen = choose(
            [len(sentence.ids) for sentence in window],
            max_rows=budgets.max_batch_rows,
            max_tokens=budgets.max_batch_tokens,
            overhead_rows=budgets.overhead_rows,
            pads=engine.pads,
        )
        batch = [window[index] for index in chosen]
        self._queue.take_sentences(batch)
        return batch


def _length(sentence: Sentence) -> int:
    return len(sentence.ids)

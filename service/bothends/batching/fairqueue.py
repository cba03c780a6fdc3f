"""Waiting sentences in a fair order: a large request can't hold back small ones. Knows no lock, no engine, no policy.

Start-time fair queueing (Goyal et al., SIGCOMM 1996) with requests as flows and tokens as work: a sentence is tagged
with the virtual time at its request's arrival plus the tokens of that request before it. The virtual time is the
farthest end served so far: a newcomer stands near the front, what waits comes nearer with each one served, and requests
of one sentence are served as they came. (Tags of ends would serve short ones first, and give long ones the last percent
of latency.)
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from itertools import islice
from math import inf

from .request import Request, Sentence

_FEW = 16
"""Number of sentences up to which they are put in one by one; more are sorted in."""
_DEAD_KEPT = 1024


class FairQueue:
    """Sentences of live requests by fair share, and how many they are. The caller holds the lock."""

    def __init__(self) -> None:
        self._order: list[tuple[float, int, Sentence]] = []
        self._virtual_time = 0.0
        self._arrivals = 0
        self.requests = 0
        """Number of live requests of which a sentence waits."""
        self.sentences = 0
        """Number of sentences that wait and whose request is alive."""
        self.tokens = 0
        """Number of tokens of those sentences."""

    def __bool__(self) -> bool:
        return self.sentences > 0

    @property
    def held(self) -> int:
        """Number of sentences in memory, those of requests that were cancelled included."""
        return len(self._order)

    def put(self, request: Request, sentences: Sequence[Sentence]) -> None:
        """Add all of a request's sentences."""
        tag = self._virtual_time
        entries = []
        for sentence in sentences:
            self._arrivals += 1
            entries.append((tag, self._arrivals, sentence))
            tag += 0 if request.is_shared else len(sentence.ids)
        if len(entries) <= _FEW:
            for entry in entries:
                insort(self._order, entry)
        else:
            self._order += entries
            self._order.sort()
        self._count(request, len(sentences), sum(len(sentence.ids) for sentence in sentences))

    def window(self, size: int) -> list[Sentence]:
        """The first `size` sentences in fair order, the fairest first; they stay in the queue."""
        if len(self._order) > self.sentences:  # the dead gave up their places when they died
            self._order[: 2 * size] = [entry for entry in self._order[: 2 * size] if not _is_dead(entry[2])]
            while self._order and _is_dead(self._order[0][2]):
                del self._order[0]
            return [sentence for _, _, sentence in islice(self._order, size) if not _is_dead(sentence)]
        return [sentence for _, _, sentence in islice(self._order, size)]

    def take(self, sentences: Iterable[Sentence]) -> None:
        """Remove sentences that stand in a window."""
        chosen = {id(sentence) for sentence in sentences}
        kept = []
        for place, entry in enumerate(self._order):
            if id(entry[2]) in chosen:
                chosen.discard(id(entry[2]))
                self._virtual_time = max(self._virtual_time, entry[0] + len(entry[2].ids))
                self._count(entry[2].request, -1, -len(entry[2].ids))
            else:
                kept.append(entry)
            if not chosen:
                self._order[: place + 1] = kept
                break

    def forget(self, request: Request) -> None:
        """Give back the places of a request that no caller waits for; its sentences are dropped as they are met."""
        self._count(request, -request.waiting_sentences, -request.waiting_tokens)
        if len(self._order) > 2 * self.sentences + _DEAD_KEPT:
            self._order = [entry for entry in self._order if not _is_dead(entry[2])]

    @property
    def before_newcomer(self) -> int:
        """Number of sentences that are served before the first of a new request: few of each list, however long."""
        return bisect_left(self._order, (self._virtual_time, inf))

    def tokens_before(self, tokens: int) -> float:
        """Estimated number of waiting tokens that are served before the last sentence of a new request of `tokens`."""
        waiting = len(self._order)  # once: this may be asked without the lock
        place = bisect_left(self._order, (self._virtual_time + tokens, inf), hi=waiting)
        return self.tokens * place / waiting if waiting else 0.0

    def drain(self) -> set[Request]:
        """Empty the queue; returns the requests that still waited."""
        left = {sentence.request for _, _, sentence in self._order if not sentence.request.done()}
        self._order.clear()
        return left

    def _count(self, request: Request, sentences: int, tokens: int) -> None:
        waited = request.waiting_sentences > 0
        request.waiting_sentences += sentences
        self.requests += (request.waiting_sentences > 0) - waited
        request.waiting_tokens += tokens
        self.sentences += sentences
        self.tokens += tokens


def _is_dead(sentence: Sentence) -> bool:
    """Return whether its request gave back its places. One that was cancelled this moment still has them, and counts.

    If its sentences were dropped now, the numbers would no longer show that other requests' dead ones are still here.
    """
    return not sentence.request.waiting_sentences

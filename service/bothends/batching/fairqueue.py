"""Fair queue of sentences, in which neither a large request nor many requests hold back other callers.

It is start-time fair queueing (Goyal et al., SIGCOMM 1996) with requests as flows. Work is counted in tokens times the
cost of a token in its model. A sentence is tagged with the virtual time at its request's arrival, plus the work of that
request before it. The virtual time is the farthest end served so far: a new request stands near the front, waiting ones
come nearer with each sentence served, and requests of one sentence are served in order of arrival. (Tags of ends would
serve short sentences first, and raise the latency of the slowest percent.)

A caller's requests share one caller's part: if n of them wait, the work of a new one counts n times, and it starts no
earlier than the first sentence of the caller's previous one. In the same way, the callers of a network share its part:
if n of them wait, the work of each counts n times, and a caller starts no earlier than the one that started before it.
"""

from bisect import bisect_left, insort
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf

from .request import Request, Sentence

_FEW = 16
"""Number of sentences up to which they are put in one by one; more are sorted in."""
_DEAD_KEPT = 1024
_IDLE_KEPT = 1024
"""Number of callers that are remembered although nothing of theirs waits."""


@dataclass(slots=True)
class _Party:
    """Caller or network that has waiting requests, or has recently had more than others."""

    next_start: float
    """Virtual time before which no request of the caller or network starts."""
    waiting: int = 0
    """Number of a caller's waiting requests; for a network, of its callers with waiting requests."""


class FairQueue:
    """Sentences of requests that aren't cancelled, in fair order, and their number. Not thread-safe."""

    def __init__(self) -> None:
        self._order: list[tuple[float, int, Sentence]] = []
        self._virtual_time = 0.0
        self._arrivals = 0
        self._callers: dict[Hashable, _Party] = {}
        self._networks: dict[Hashable, _Party] = {}
        self.requests = 0
        """Number of live requests with a waiting sentence."""
        self.sentences = 0
        """Number of sentences that wait and whose request is alive."""
        self.tokens = 0
        """Number of tokens of those sentences."""
        self.work = 0.0
        """Work of computing them."""

    def __bool__(self) -> bool:
        return self.sentences > 0

    @property
    def held(self) -> int:
        """Number of sentences in memory, including those of cancelled requests."""
        return len(self._order)

    def put(self, request: Request, sentences: Sequence[Sentence]) -> None:
        """Add all of a request's sentences."""
        cost = request.terms.cost
        tag, weight = self._begin(request, len(sentences[0].ids) * cost)
        entries = []
        for sentence in sentences:
            self._arrivals += 1
            entries.append((tag, self._arrivals, sentence))
            tag += weight * len(sentence.ids) * cost
        if len(entries) <= _FEW:
            for entry in entries:
                insort(self._order, entry)
        else:
            self._order += entries
            self._order.sort()
        self._count(request, len(sentences), sum(len(sentence.ids) for sentence in sentences))

    def weight(self, caller: Hashable) -> int:
        """Return the factor by which the work of a new request of this caller counts."""
        known = self._callers.get(caller)
        return (1 if known is None else known.waiting + 1) * self._callers_beside(caller)

    def window(self, size: int) -> list[Sentence]:
        """Return the first `size` sentences in fair order; they stay in the queue."""
        if len(self._order) > self.sentences:  # the dead gave up their places when they died
            self._order[: 2 * size] = [entry for entry in self._order[: 2 * size] if not _is_dead(entry[2])]
            while self._order and _is_dead(self._order[0][2]):
                del self._order[0]
            return [sentence for _, _, sentence in islice(self._order, size) if not _is_dead(sentence)]
        return [sentence for _, _, sentence in islice(self._order, size)]

    def take_sentences(self, sentences: Sequence[Sentence]) -> None:
        """Remove sentences that `window` returned."""
        if sentences and len(sentences) == len(self._order):
            self._take_all()
            return
        chosen = {id(sentence) for sentence in sentences}
        kept = []
        for index, entry in enumerate(self._order):
            if id(entry[2]) in chosen:
                chosen.discard(id(entry[2]))
                ended = entry[0] + len(entry[2].ids) * entry[2].request.terms.cost
                self._virtual_time = max(self._virtual_time, ended)
                self._count(entry[2].request, -1, -len(entry[2].ids))
            else:
                kept.append(entry)
            if not chosen:
                self._order[: index + 1] = kept
                break

    def forget(self, request: Request) -> None:
        """Free the queue space of a request that no caller waits for; its sentences are dropped when they are
        reached.
        """
        self._count(request, -request.waiting_sentences, -request.waiting_tokens)
        if len(self._order) > 2 * self.sentences + _DEAD_KEPT:
            self._order = [entry for entry in self._order if not _is_dead(entry[2])]

    @property
    def before_newcomer(self) -> int:
        """Number of sentences that would be served before the first sentence of a new request."""
        return bisect_left(self._order, (self._virtual_time, inf))

    def work_before(self, work: float) -> float:
        """Return the estimated waiting work that is served before the last sentence of a new request of this much
        `work`.
        """
        index = bisect_left(self._order, (self._virtual_time + work, inf))
        return self.work * index / len(self._order) if self._order else 0.0

    def drain(self) -> set[Request]:
        """Empty the queue; returns the requests that were waiting."""
        left = {sentence.request for _, _, sentence in self._order if not sentence.request.done()}
        self._order.clear()
        return left

    def _begin(self, request: Request, work: float) -> tuple[float, int]:
        """Return the tag of a new request's first sentence, and how often its work counts."""
        if request.caller is None:
            return self._virtual_time, 1
        for parties, name in ((self._callers, request.caller), (self._networks, network_of(request.caller))):
            if len(parties) > self.requests + _IDLE_KEPT:
                for idle in [name for name, party in parties.items() if not party.waiting]:
                    del parties[idle]
            parties.setdefault(name, _Party(self._virtual_time))
        caller, network = self._callers[request.caller], self._networks[network_of(request.caller)]
        start = max(self._virtual_time, caller.next_start)
        if not caller.waiting:  # else it stands behind their own alone, and holds back none of their network
            start = max(start, network.next_start)
            network.next_start = start + work
        caller.next_start = start + work * self._callers_beside(request.caller)
        return start, self.weight(request.caller)

    def _callers_beside(self, caller: Hashable) -> int:
        """Return the number of the network's callers with waiting requests, including this one."""
        known, network = self._callers.get(caller), self._networks.get(network_of(caller))
        others = 0 if network is None else network.waiting - (known is not None and known.waiting > 0)
        return 1 + others

    def _take_all(self) -> None:
        for request in {sentence.request for _, _, sentence in self._order}:
            self._count(request, -request.waiting_sentences, -request.waiting_tokens)
        self._order.clear()

    def _count(self, request: Request, sentences: int, tokens: int) -> None:
        waited = request.waiting_sentences > 0
        request.waiting_sentences += sentences
        change = (request.waiting_sentences > 0) - waited
        self.requests += change
        if change and (caller := self._callers.get(request.caller)) is not None:
            waited = caller.waiting > 0
            caller.waiting += change
            self._networks[network_of(request.caller)].waiting += (caller.waiting > 0) - waited
        if change and not self.requests:
            self._callers.clear()  # nobody has had more than others, of what nobody waited for
            self._networks.clear()
        request.waiting_tokens += tokens
        self.sentences += sentences
        self.tokens += tokens
        self.work = self.work + tokens * request.terms.cost if self.sentences else 0.0  # no rounding stays


def network_of(caller: Hashable) -> Hashable:
    """Return the caller's network, if the caller has one as in the server; otherwise the caller itself."""
    return getattr(caller, "network", caller)


def _is_dead(sentence: Sentence) -> bool:
    """Return whether its request was forgotten. One that was cancelled this moment may not be yet, and counts.

    If its sentences were dropped now, the numbers would no longer show that other requests' dead ones are still here.
    """
    return not sentence.request.waiting_sentences

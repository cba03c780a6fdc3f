"""Lets the native transport answer plain requests in C++ with the model that serves now, and reports them to metrics.

Requests that the C++ code doesn't handle, or fails on, are left to Python, which submits their token ids: they are
computed in the same turns as all others.
"""

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from google.rpc import code_pb2, status_pb2
from opentelemetry import trace

from ..batching.request import Request, Stuck, Ticket
from ..core.embedder import Embedder
from ..core.inputs import FEW, SHORT_BYTES
from ..core.lent import CalledModel
from ..core.loaded import LoadedModel
from ..engines.arrays import flat
from ..engines.contract import BatchRecord, TokenIds
from ..errors import BothendsError, DeadlineError, EngineError, NotServingError, OverloadedError, Refusal, ReplacedError
from ..observe import tracing
from ..observe.metrics import Metrics
from ..wire.status import to_status
from .grpc.plain_calls import CreateCodec, GivenUpError, ServedModel, WriteFailed
from .grpc.refusals import prepared

if TYPE_CHECKING:
    from bothends_native.transport import Batch, FastPath, InStream, Returned, RunCounts
    from bothends_native.transport import Transport as NativeTransport


_log = logging.getLogger(__name__)
_RETRY_S = 0.5
"""Seconds after which to try again if there is no room."""
_REFUSALS: dict[str, Refusal] = {"INVALID_ARGUMENT": "invalid"}
"""Reasons by which calls that C++ refuses are counted, by their codes."""


class PathOf(NamedTuple):
    """Native fast path, with the models that it serves in the order in which it numbers them."""

    path: "FastPath"
    embedders: Sequence[Embedder]
    models: Sequence[LoadedModel]
    called: Sequence[CalledModel | None]
    """The runs of each model where native code calls Python for them."""


class FastMethod(NamedTuple):
    """Method that fast paths answer."""

    name: str
    """Its name in metrics."""
    create_codec: CreateCodec
    write_failed: WriteFailed | None = None
    """Of a stream whose messages have a response whatever becomes of their sentences; others end with the error."""


class FastPaths:
    """The native fast path of the models that serve now, which answers plain calls over gRPC and HTTP, and computes
    what is submitted for others.

    It is one path for all models. Whenever one of them is replaced another path is made, and the threads that are in
    the old one go on in it until they come back.
    """

    def __init__(
        self,
        transport: "NativeTransport",
        methods: Mapping[int, FastMethod],
        embedders: Sequence[Embedder],
        metrics: Metrics,
        logs_each: Callable[[], bool],
    ) -> None:
        """Serve small requests, unless each call is logged (`logs_each` returns True), or spans are kept of it.

        `methods` are those that C++ answers, by their places among the transport's methods; `embedders` are one for
        each model, the default model's first. Counts go to `metrics`.
        """
        self._logs_each = logs_each
        self._provider: object = None
        self._keeps_all = False
        self._lock = threading.Lock()
        self._counting = threading.Lock()  # a scrape waits for who has taken what it doesn't find any more
        self._transport = transport
        self._methods = methods
        self._embedders = embedders
        self._metrics = metrics
        self._of: Sequence[LoadedModel] = ()
        self._newest: PathOf | None = None  # of those models
        self._submitted: dict[int, Request] = {}
        """Requests whose sentences are to be computed, by the ids of their calls' messages."""
        self._taking: dict[int, PathOf] = {}
        """The path that each thread is in now: one may hang in the path of a model that no longer serves."""

    def take_messages(self, max_messages: int, wait_s: float, max_bytes: int) -> "Batch | None":
        """Take messages from the transport, answer plain requests in C++ meanwhile, and settle the requests whose
        submissions are over. Returns those messages that Python has to answer; None once the transport has stopped.

        Parameters and errors are those of `PlainCalls.take_messages`.
        """
        newest, may_answer = self._current(), not self._traces_all() and not self._logs_each()
        thread = threading.get_ident()
        self._taking[thread] = newest
        try:
            taken = newest.path.take_messages(max_messages, wait_s, max_bytes, thread, may_answer=may_answer)
        finally:
            del self._taking[thread]
        if newest is not self._newest:  # another model took over meanwhile, and nobody else asks this one's
            self._count_all(newest)
        if taken is None:
            return None
        for returned in taken.returned:
            if (request := self._submitted.pop(returned.id, None)) is not None:
                _settle(request, returned)
        if taken.is_given_up:
            raise GivenUpError(taken)
        return taken

    def submit(self, request: Request, sentences: Sequence[TokenIds], ticket: Ticket) -> None:
        """Let sentences wait in the turn of a call's caller, as `PlainCalls.submit` says."""
        from bothends_native.transport import NoRoom  # not in every build

        current = self._current()
        index = next((index for index, model in enumerate(current.models) if model is request.engine), None)
        if index is None:
            request.settle(ReplacedError("another model took over"))
            return
        ids, offsets = flat(sentences)
        deadline = math.inf if request.deadline is None else request.deadline
        self._submitted[ticket.id] = request
        try:
            is_wanted = current.path.submit(
                ticket.id, index, ids, offsets, deadline=deadline, spent=ticket.take_spent()
            )
        except NoRoom:
            del self._submitted[ticket.id]
            raise OverloadedError("the queue is full: too much waits to be computed", retry_after_s=_RETRY_S) from None
        if not is_wanted:  # its caller has left, and its call will be told
            self._submitted.pop(ticket.id, None)

    def forget(self, request: Request, ticket: Ticket) -> None:
        """Let go of a request that was submitted, unless its call has submitted another since."""
        if self._submitted.get(ticket.id) is request:
            del self._submitted[ticket.id]

    def stands_still(self) -> bool:
        """Return True if something has waited for a while of which no thread takes anything."""
        return self._transport.stands_still()

    def count(self) -> None:
        """Add to the metrics what was served since the last call of this."""
        if (newest := self._newest) is not None:
            self._count_all(newest)

    def _count_all(self, of: PathOf) -> None:
        with self._counting:
            for served in of.path.served():
                self._count(served, of)
            for embedder, called in zip(of.embedders, of.called, strict=True):
                for record in called.records() if called else ():
                    embedder.ran(record)

    def give_up(self, seconds: float, lost_s: Callable[[int], float]) -> list[Stuck]:
        """Fail the callers of model runs that have taken longer than `seconds`; see `PlainCalls.give_up`."""
        error = EngineError("the model run took too long and was given up", hung=True)
        told = to_status(error)
        status = prepared(told)
        found: list[Stuck] = []
        for taking, of in self._taking.copy().items():
            of.path.forgive(taking, lost_s(taking))
            for run in of.path.overdue(seconds):
                for index, ids in run.messages.items():
                    durations = [seconds] * len(ids)
                    code = code_pb2.Code.Name(status.code)
                    self._answered(index, code, durations, error.refusal)
                    self._transport.fail(ids, [status] * len(ids))  # who is told finds it counted
                self._transport.fail(run.long_messages, [status] * len(run.long_messages))
                self._answer_failed(run.in_streams, told, of.models)
                for message_id in run.submitted:
                    if (request := self._submitted.pop(message_id, None)) is not None:
                        request.settle(error)
                found.append(Stuck(run.thread, of.models[run.model], of.embedders[run.model].terms))
        return found

    def _answer_failed(
        self, messages: Sequence["InStream"], status: status_pb2.Status, models: Sequence[LoadedModel]
    ) -> None:
        """Answer streams' messages whose sentences have all failed, as Python does: most streams go on."""
        for message in messages:
            method = self._methods[message.method]
            self._metrics.messages(method.name, "native", 1)
            if (write := method.write_failed) is not None:
                self._transport.answer([message.id], [write(status, message.sentences, models[message.model])])
            else:
                self._transport.fail([message.id], [prepared(status)])

    def _answered(self, place: int, code: str, seconds: Sequence[float], refusal: Refusal | None = None) -> None:
        self._metrics.answered_all(self._methods[place].name, code, seconds, path="native", refusal=refusal)

    def _current(self) -> PathOf:
        """Return the path of the models that serve now."""
        if not self._is_of_newest():
            with self._lock:  # two paths of the same models would each hide what the other served
                if not self._is_of_newest():
                    models = [embedder.model for embedder in self._embedders]
                    self.count()
                    self._newest, self._of = self._made(models), models
        assert self._newest is not None  # noqa: S101  it was made with the models
        return self._newest

    def _is_of_newest(self) -> bool:
        return bool(self._of) and all(
            embedder.model is model for embedder, model in zip(self._embedders, self._of, strict=True)
        )

    def _traces_all(self) -> bool:
        """Return True if spans are kept of all calls. Tells the transport to leave to Python those that have one."""
        if (provider := trace.get_tracer_provider()) is not self._provider:
            self._transport.set_traced(tracing.is_on())
            self._keeps_all = tracing.keeps_what_callers_do_not()
            self._provider = provider
        return self._keeps_all

    def _made(self, models: Sequence[LoadedModel]) -> PathOf:
        """Make a path of these models: those of which native code reads requests come first, as codecs count. Python
        refuses the requests of a withdrawn one.
        """
        from bothends_native.transport import FastPath, LentModel, called_encoder  # not in every build

        lent = [
            (embedder, model, embedder.lend(model)) for embedder, model in zip(self._embedders, models, strict=True)
        ]
        lent.sort(key=lambda each: each[2].tokenizer is None or each[1].is_withdrawn)
        limits, default = self._embedders[0].limits, self._embedders[0]
        read = [
            ServedModel(each.name, model, each is default)
            for each, model, of in lent
            if of.tokenizer is not None and not model.is_withdrawn
        ]
        lents = [of for _, _, of in lent]
        path = FastPath(
            self._transport,
            {index: method.create_codec(read) for index, method in self._methods.items()} if read else {},
            tuple(
                LentModel(
                    of.tokenizer,
                    called_encoder(of.called, model.dimension) if of.called else of.encoder,
                    max_tokens=model.config.max_tokens,
                )
                for _, model, of in lent
            ),
            max_small_sentences=min(FEW, limits.sentences),
            max_bytes=min(SHORT_BYTES, limits.sentence_chars, limits.tokens),
            max_together=max(of.max_together for of in lents),
            max_bytes_together=max(of.max_bytes_together for of in lents),
            max_runs=lents[0].max_runs,
            max_sentences=limits.sentences,
            max_sentence_bytes=limits.sentence_chars,  # a text of more bytes may have too many
            max_request_tokens=limits.tokens,
        )
        # A model withdrawn before the path counted its stops passes for one to be trusted there.
        if any(each.model.is_withdrawn for each in read):
            return self._made(models)
        return PathOf(path, [each for each, _, _ in lent], [model for _, model, _ in lent], [of.called for of in lents])

    def _count(self, served: "RunCounts", of: PathOf) -> None:
        embedder = of.embedders[served.model]
        for left in served.unanswered:
            code = code_pb2.Code.Name(left.code)
            self._answered(left.method, code, (left.seconds,), _REFUSALS.get(code))
        for index, seconds in served.seconds.items():
            self._answered(index, "OK", seconds)
        for index, count in served.messages.items():
            self._metrics.messages(self._methods[index].name, "native", count)
        metrics = embedder.metrics
        metrics.embedded(served.counts, served.truncated, in_pieces=served.in_pieces)
        if served.tokenise_s:
            metrics.took("tokenise", served.tokenise_s)
        if served.serialise_s:
            metrics.took("serialise", served.serialise_s)
        if not (waited_s := served.waited_s):
            return
        if of.called[served.model] is None:
            tokens = served.tokens
            embedder.ran(BatchRecord(len(waited_s), tokens, tokens, served.engine_s, waited_s))
        else:
            metrics.waited(waited_s)


def _settle(request: Request, returned: "Returned") -> None:
    if returned.rows is None:
        request.settle(_error(request, returned.outcome.name))
        return
    tracing.served([request.span], returned.engine_s, rows=request.size, tokens=returned.tokens)
    request.settle(returned.rows)


def _error(request: Request, outcome: str) -> BothendsError:
    """Return the error of a request whose submission had no rows; reports a fault of the engine."""
    engine = request.engine
    if outcome == "replaced":
        return ReplacedError("another model took over")
    if outcome == "late":
        return DeadlineError("the deadline passed while the request waited")
    if isinstance(engine, LoadedModel) and engine.is_withdrawn:
        return NotServingError(engine.why_withdrawn)
    _log.error("a model run failed for a request of %d sentences", request.size)
    request.terms.on_fault("raised", engine)
    return EngineError("the model run failed")

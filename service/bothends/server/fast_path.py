"""Lets the native transport answer plain requests in C++ with the model that serves now, and reports them to metrics.

Requests that the C++ code doesn't handle, or fails on, are left to Python.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from google.rpc import code_pb2, status_pb2
from opentelemetry import trace

from ..batching.request import Stuck
from ..core.embedder import Embedder
from ..core.inputs import FEW, SHORT_BYTES
from ..core.lent import CalledModel
from ..core.loaded import LoadedModel
from ..engines.contract import BatchRecord
from ..errors import EngineError, Refusal
from ..observe import tracing
from ..observe.metrics import Metrics
from ..wire.status import to_status
from .grpc.contract import Batch
from .grpc.plain_calls import CreateCodec, GivenUpError, ServedModel, WriteFailed
from .grpc.refusals import prepared

if TYPE_CHECKING:
    from bothends_native.transport import FastPath, InStream, RunCounts
    from bothends_native.transport import Transport as NativeTransport


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
    """The native fast path of the models that serve now, which answers plain calls over gRPC and HTTP.

    It is one path for all models that can be lent to native code. Whenever one of them is replaced another path is
    made, and the threads that are in the old one go on in it until they come back.
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
        self._newest: PathOf | None = None  # of those models, where any of them can be lent
        self._taking: dict[int, PathOf] = {}
        """The path that each thread is in now: one may hang in the path of a model that no longer serves."""

    @property
    def is_used(self) -> bool:
        """True if the models that serve have a path."""
        return self._newest is not None

    @property
    def has_hasty_callers(self) -> bool:
        """True if a caller has recently asked for something that is answered quickly."""
        return self._newest is not None and self._transport.has_hasty_callers()

    def take_messages(
        self, max_messages: int, wait_s: float, queue_s: float, max_bytes: int, *, may_run: bool
    ) -> Batch | None:
        """Take messages from the transport, and answer plain requests in C++ meanwhile. Returns those that Python has
        to answer; None once the transport has stopped.

        Parameters and errors are those of `PlainCalls.take_messages`.
        """
        newest = self._current()
        if newest is None:
            return self._transport.take_messages(max_messages, wait_s, queue_s, max_bytes)
        thread = threading.get_ident()
        self._taking[thread] = newest
        try:
            taken = newest.path.take_messages(max_messages, wait_s, queue_s, max_bytes, thread, may_run=may_run)
        finally:
            del self._taking[thread]
        if newest is not self._newest:  # another model took over meanwhile, and nobody else asks this one's
            self._count_all(newest)
        if taken is not None and taken.is_given_up:
            raise GivenUpError(taken)
        return taken

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

    def _current(self) -> PathOf | None:
        if not self._is_of_newest():
            with self._lock:  # two paths of the same models would each hide what the other served
                if not self._is_of_newest():
                    models = [embedder.model for embedder in self._embedders]
                    self.count()
                    self._newest, self._of = self._made(models), models
        newest = self._newest
        if newest is None or self._logs_each() or self._traces_all():
            return None
        return None if all(model.is_withdrawn for model in newest.models) else newest

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

    def _made(self, of: Sequence[LoadedModel]) -> PathOf | None:
        """Make a path of those models that can be lent and aren't withdrawn; None if there are none."""
        lendable = [
            (embedder, model, lent)
            for embedder, model in zip(self._embedders, of, strict=True)
            if not model.is_withdrawn and (lent := embedder.lend(model)) is not None
        ]
        if not lendable:
            return None
        from bothends_native.transport import FastPath, LentModel, called_encoder  # not in every build

        embedders, models, lents = zip(*lendable, strict=True)
        limits, default = self._embedders[0].limits, self._embedders[0]
        served = [ServedModel(each.name, model, each is default) for each, model, _ in lendable]
        path = FastPath(
            self._transport,
            {index: method.create_codec(served) for index, method in self._methods.items()},
            tuple(
                LentModel(
                    lent.tokenizer,
                    called_encoder(lent.called, model.dimension) if lent.called else lent.encoder,
                    max_tokens=model.config.max_tokens,
                )
                for _, model, lent in lendable
            ),
            max_small_sentences=min(FEW, limits.sentences),
            max_bytes=min(SHORT_BYTES, limits.sentence_chars, limits.tokens),
            max_together=max(lent.max_together for lent in lents),
            max_bytes_together=max(lent.max_bytes_together for lent in lents),
            max_runs=lents[0].max_runs,
            max_sentences=limits.sentences,
            max_sentence_bytes=limits.sentence_chars,  # a text of more bytes may have too many
            max_request_tokens=limits.tokens,
        )
        # A model withdrawn before the path counted its stops passes for one to be trusted there.
        if any(model.is_withdrawn for model in models):
            return self._made(of)
        return PathOf(path, embedders, models, [lent.called for lent in lents])

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

"""Has the native transport answer plain requests without Python by the model that serves now, and counts what it did.

Whatever isn't plain, or goes wrong, is left to Python.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from google.rpc import code_pb2, status_pb2
from opentelemetry import trace

from ..core.embedder import Embedder
from ..core.inputs import FEW, SHORT_BYTES
from ..core.lent import CalledModel
from ..core.loaded import LoadedModel
from ..engines.contract import BatchRecord, Engine
from ..errors import EngineError, Refusal
from ..observe import tracing
from ..observe.metrics import Metrics
from ..wire.status import to_status
from .grpc.contract import Batch, CreateCodec
from .grpc.plain_calls import GivenUpError, WriteFailed
from .grpc.refusals import prepared

if TYPE_CHECKING:
    from bothends_native.transport import FastPath, InStream, Served
    from bothends_native.transport import Transport as NativeTransport


_REFUSALS: dict[str, Refusal] = {"INVALID_ARGUMENT": "invalid"}
"""Reasons by which calls that C++ refuses are counted, by their codes."""


class PathOf(NamedTuple):
    """A native fast path, and the model that it serves."""

    path: "FastPath"
    model: LoadedModel
    called: CalledModel | None
    """The model's runs where native code calls Python for them."""


class FastMethod(NamedTuple):
    """A method that fast paths answer."""

    name: str
    """Its name in metrics."""
    create_codec: CreateCodec
    write_failed: WriteFailed | None = None
    """Of a stream whose messages have a response whatever becomes of their sentences; others end with the error."""


class FastPaths:
    """Fast paths, each of one model: plain calls over gRPC and HTTP."""

    def __init__(
        self,
        transport: "NativeTransport",
        methods: Mapping[int, FastMethod],
        embedder: Embedder,
        metrics: Metrics,
        logs_each: Callable[[], bool],
    ) -> None:
        """Serve small requests, unless each call is logged, or spans are kept of it.

        `methods` are by their places among the transport's.
        """
        self._logs_each = logs_each
        self._provider: object = None
        self._keeps_all = False
        self._lock = threading.Lock()
        self._counting = threading.Lock()  # a scrape waits for who has taken what it doesn't find any more
        self._transport = transport
        self._methods = methods
        self._embedder = embedder
        self._metrics = metrics
        self._of: LoadedModel | None = None
        self._newest: PathOf | None = None  # of that model, if it has one
        self._taking: dict[int, PathOf] = {}
        """The path that each thread is in now: one may hang in the path of a model that no longer serves."""

    @property
    def is_used(self) -> bool:
        """True if the model that serves has a path."""
        return self._newest is not None

    def take_messages(
        self, most: int, wait_s: float, queue_s: float, most_bytes: int, *, may_run: bool
    ) -> Batch | None:
        """Take messages of the transport, and serve plain requests meanwhile, as `PlainCalls` has it."""
        newest = self._current()
        if newest is None or not may_run:  # who has no core leaves long requests to those who have one
            return self._transport.take_messages(most, wait_s, queue_s, most_bytes, takes_long=newest is None)
        thread = threading.get_ident()
        self._taking[thread] = newest
        try:
            taken = newest.path.take_messages(most, wait_s, queue_s, most_bytes, thread)
        finally:
            del self._taking[thread]
        if newest is not self._newest:  # another model took over meanwhile, and nobody else asks this one's
            self._count_all(newest)
        if taken is not None and taken.is_given_up:
            raise GivenUpError
        return taken

    def count(self) -> None:
        """Count what was served since the last time."""
        if (newest := self._newest) is not None:
            self._count_all(newest)

    def _count_all(self, of: PathOf) -> None:
        with self._counting:
            for served in of.path.served():
                self._count(served, of.called)
            for record in of.called.records() if of.called else ():
                self._embedder.ran(record)

    def give_up(self, seconds: float, lost_s: Callable[[int], float]) -> list[tuple[int, Engine]]:
        """Answer the callers of runs that have gone on for so long, as `PlainCalls` has it."""
        error = EngineError("the model run took too long and was given up", hung=True)
        told = to_status(error)
        status = prepared(told)
        found: list[tuple[int, Engine]] = []
        for taking, (path, model, _) in self._taking.copy().items():
            path.forgive(taking, lost_s(taking))
            for run in path.overdue(seconds):
                for place, ids in run.messages.items():
                    durations = [seconds] * len(ids)
                    code = code_pb2.Code.Name(status.code)
                    self._answered(place, code, durations, error.refusal)
                    self._transport.fail(ids, [status] * len(ids))  # who is told finds it counted
                self._transport.fail(run.long_messages, [status] * len(run.long_messages))
                self._answer_failed(run.in_streams, told, model)
                found.append((run.thread, model))
        return found

    def _answer_failed(self, messages: Sequence["InStream"], status: status_pb2.Status, model: LoadedModel) -> None:
        """Answer streams' messages whose sentences have all failed, as Python does: most streams go on."""
        for message in messages:
            method = self._methods[message.method]
            self._metrics.messages(method.name, "native", 1)
            if (write := method.write_failed) is not None:
                self._transport.answer([message.id], [write(status, message.sentences, model)])
            else:
                self._transport.fail([message.id], [prepared(status)])

    def _answered(self, place: int, code: str, seconds: Sequence[float], refusal: Refusal | None = None) -> None:
        self._metrics.answered_all(self._methods[place].name, code, seconds, path="native", refusal=refusal)

    def _current(self) -> PathOf | None:
        if self._embedder.model is not self._of:
            with self._lock:  # two paths of one model would each hide what the other served
                model = self._embedder.model
                if model is not self._of:
                    self.count()
                    self._newest, self._of = self._made(model), model
        newest = self._newest
        if newest is None or newest.model.is_withdrawn or self._logs_each() or self._traces_all():
            return None
        return newest

    def _traces_all(self) -> bool:
        """Return True if spans are kept of all calls. Tells the transport to leave to Python those that have one."""
        if (provider := trace.get_tracer_provider()) is not self._provider:
            self._transport.set_traced(tracing.is_on())
            self._keeps_all = tracing.keeps_what_callers_do_not()
            self._provider = provider
        return self._keeps_all

    def _made(self, model: LoadedModel) -> PathOf | None:
        if (lent := self._embedder.lend(model)) is None:
            return None
        from bothends_native.transport import FastPath, called_encoder  # not in every build

        limits = self._embedder.limits
        path = FastPath(
            self._transport,
            {place: method.create_codec(model) for place, method in self._methods.items()},
            lent.tokenizer,
            called_encoder(lent.called, model.dimension) if lent.called else lent.encoder,
            most_sentences=min(FEW, limits.sentences),
            most_bytes=min(SHORT_BYTES, limits.sentence_chars, limits.tokens),
            most_together=lent.most_together,
            most_bytes_together=lent.most_bytes_together,
            most_runs=lent.most_runs,
            most_tokens=model.config.max_tokens,
            max_sentences=limits.sentences,
            max_sentence_bytes=limits.sentence_chars,  # a text of more bytes may have too many
            max_request_tokens=limits.tokens,
        )
        return PathOf(path, model, lent.called)

    def _count(self, served: "Served", called: CalledModel | None) -> None:
        for left in served.left:
            code = code_pb2.Code.Name(left.code)
            self._answered(left.method, code, (left.seconds,), _REFUSALS.get(code))
        for place, seconds in served.seconds.items():
            self._answered(place, "OK", seconds)
        for place, count in served.messages.items():
            self._metrics.messages(self._methods[place].name, "native", count)
        self._metrics.embedded(served.counts, served.truncated)
        if served.tokenise_s:
            self._metrics.took("tokenise", served.tokenise_s)
        if served.serialise_s:
            self._metrics.took("serialise", served.serialise_s)
        if not (waited_s := served.waited_s):
            return
        if called is None:
            tokens = served.tokens
            self._embedder.ran(BatchRecord(len(waited_s), tokens, tokens, served.engine_s, waited_s))
        else:
            self._metrics.waited(waited_s)

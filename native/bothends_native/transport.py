"""The transport of gRPC and HTTP: HTTP/2, HTTP/1.1 and TLS in C++. Python takes messages by the batch, and answers.

`bothends` says which methods there are, and what is refused in which words.
"""

try:
    from ._transport import (
        Batch,
        Codec,
        Denial,
        Ended,
        Event,
        Excess,
        FastPath,
        Hosts,
        HttpRequest,
        HttpRequests,
        InStream,
        LentModel,
        Limits,
        Listener,
        Message,
        Method,
        NamedModel,
        NoRoom,
        Outcome,
        Overdue,
        Refusal,
        Returned,
        RunCounts,
        Transport,
        Truncation,
        Unanswered,
        Usage,
        called_encoder,
    )
except ModuleNotFoundError as missing:
    if missing.name != f"{__package__}._transport":
        raise
    raise ImportError(
        "bothends-native was built without its transport: this isn't Linux, libssl-dev or zlib1g-dev was missing, "
        "or nghttp2, llhttp and yyjson were neither here in releases that will do nor could be fetched"
    ) from None

__all__ = [
    "Batch",
    "Codec",
    "Denial",
    "Ended",
    "Event",
    "Excess",
    "FastPath",
    "Hosts",
    "HttpRequest",
    "HttpRequests",
    "InStream",
    "LentModel",
    "Limits",
    "Listener",
    "Message",
    "Method",
    "NamedModel",
    "NoRoom",
    "Outcome",
    "Overdue",
    "Refusal",
    "Returned",
    "RunCounts",
    "Transport",
    "Truncation",
    "Unanswered",
    "Usage",
    "called_encoder",
]

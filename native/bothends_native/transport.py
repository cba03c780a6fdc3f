"""The gRPC transport: HTTP/2, TLS and flow control in C++. Python takes messages by the batch, and answers them.

`bothends` says which methods there are, and what is refused in which words.
"""

try:
    from ._transport import (
        Batch,
        Codec,
        Denial,
        Ended,
        Excess,
        FastPath,
        Left,
        Limits,
        Message,
        Method,
        Overdue,
        Refusal,
        Served,
        Transport,
        Truncation,
        Usage,
        called_encoder,
    )
except ModuleNotFoundError as missing:
    if missing.name != f"{__package__}._transport":
        raise
    raise ImportError(
        "bothends-native was built without its transport: libnghttp2-dev, libssl-dev and zlib1g-dev were missing"
    ) from None

__all__ = [
    "Batch",
    "Codec",
    "Denial",
    "Ended",
    "Excess",
    "FastPath",
    "Left",
    "Limits",
    "Message",
    "Method",
    "Overdue",
    "Refusal",
    "Served",
    "Transport",
    "Truncation",
    "Usage",
    "called_encoder",
]

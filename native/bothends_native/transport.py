"""Calls of gRPC to messages, taken by the batch, and answers back: HTTP/2, TLS and flow control, natively.

Knows no sentences, no keys and no models: `bothends` says which methods there are, and what is refused in which words.
"""

try:
    from ._transport import FastPath, Limits, Transport
except ModuleNotFoundError as missing:
    if missing.name != f"{__package__}._transport":
        raise
    raise ImportError(
        "bothends-native was built without its transport: libnghttp2-dev, libssl-dev and zlib1g-dev were missing"
    ) from None

__all__ = ["FastPath", "Limits", "Transport"]

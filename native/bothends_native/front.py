"""Calls of gRPC to messages, taken by the batch, and answers back: HTTP/2, TLS and flow control, natively.

Knows no sentences, no keys and no models: `bothends` says which methods there are, and what is refused in which words.
"""

try:
    from ._front import FastPath, Front, Limits
except ModuleNotFoundError as missing:
    if missing.name != f"{__package__}._front":
        raise
    raise ImportError(
        "bothends-native was built without its front: libnghttp2-dev, libssl-dev and zlib1g-dev were missing"
    ) from None

__all__ = ["FastPath", "Front", "Limits"]

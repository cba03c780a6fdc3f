"""Headers as HPACK writes them, where a test decides what comes into its table."""

from hpack.hpack import encode_integer


def unindexed(pairs: list[tuple[str, str]]) -> bytes:
    """Headers, short ones, that come into no table."""
    texts = [(name.encode(), value.encode()) for name, value in pairs]
    return b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in texts)


def entry(name: bytes, value: bytes) -> bytes:
    """A header that comes into HPACK's table, where index 62 names it from then on."""
    return b"\x40" + b"".join(encode_integer(len(text), 7) + text for text in (name, value))

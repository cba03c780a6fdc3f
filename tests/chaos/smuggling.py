"""Requests over HTTP/1.1 whose end is a matter of opinion: what one reader takes for a body is another one's request.

Each holds SMUGGLED where one of the two would read another request.
"""

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
STARTS = {
    "a page": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n",
    "a call": b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
}
"""Heads without an end, of a request that the application answers and of one that is a call."""
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_EMPTY = b"0\r\n\r\n"


def length(value: bytes, *more: bytes) -> bytes:
    """Return a header of a body's length, or several."""
    return b"".join(b"Content-Length: " + each + b"\r\n" for each in (value, *more))


def coding(value: bytes) -> bytes:
    """Return a header of a body's transfer coding."""
    return b"Transfer-Encoding: " + value + b"\r\n"


_HIDDEN = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
"""Body of one chunk, which holds another request."""
_SIZE = str(len(SMUGGLED)).encode()

FRAMINGS: dict[str, tuple[bytes, bytes]] = {
    # A length and chunks, in either order.
    "CL.TE": (length(b"6") + _CHUNKED, _EMPTY + SMUGGLED),
    "TE.CL": (_CHUNKED + length(b"4"), _HIDDEN),
    "TE.CL of nothing": (_CHUNKED + length(b"0"), _HIDDEN),
    # Codings that one reader knows and the other doesn't.
    "TE.TE, chunked first": (_CHUNKED + coding(b"x"), _HIDDEN),
    "TE.TE, chunked last": (coding(b"x") + _CHUNKED, _HIDDEN),
    "TE.TE, chunked, identity": (coding(b"chunked, identity"), _HIDDEN),
    "TE of another name": (coding(b"xchunked"), _HIDDEN),
    "TE with more after it": (coding(b"chunkedx"), _HIDDEN),
    "TE in quotes": (coding(b'"chunked"'), _HIDDEN),
    "TE behind a vertical tab": (coding(b"\x0bchunked"), _HIDDEN),
    "TE with NUL": (coding(b"chunked\0"), _HIDDEN),
    "TE that is none": (coding(b""), SMUGGLED),
    # Headers that one reader sees and the other doesn't.
    "space before a colon": (b"Transfer-Encoding : chunked\r\n", _HIDDEN),
    "tab before a colon": (b"Transfer-Encoding\t: chunked\r\n", _HIDDEN),
    "length with space before its colon": (b"Content-Length : " + _SIZE + b"\r\n", SMUGGLED),
    "NUL in a name": (b"Content-Length\0: " + _SIZE + b"\r\n", SMUGGLED),
    "folded coding": (b"Transfer-Encoding:\r\n chunked\r\n", _HIDDEN),
    "folded length": (b"Content-Length:\r\n " + _SIZE + b"\r\n", SMUGGLED),
    "folded value": (b"X: a\r\n " + length(_SIZE), SMUGGLED),
    "line feed alone after a value": (b"X: a\n" + _CHUNKED, _HIDDEN),
    "line feed alone after a length": (b"Content-Length: " + _SIZE + b"\n", SMUGGLED),
    "carriage return alone after a value": (b"X: a\r" + length(_SIZE), SMUGGLED),
    "carriage return alone in a chunk's extension": (_CHUNKED, b"1;a=\rb\r\nx\r\n" + _EMPTY + SMUGGLED),
    "control character in a chunk's extension": (_CHUNKED, b"1;a=\x01\r\nx\r\n" + _EMPTY + SMUGGLED),
    "carriage return twice": (b"X: a\r\r\n" + length(_SIZE), SMUGGLED),
    # Lengths that aren't one number.
    "two lengths": (length(b"0", _SIZE), SMUGGLED),
    "two lengths, the longer first": (length(_SIZE, b"0"), SMUGGLED),
    "lengths in a list": (length(b"0, " + _SIZE), SMUGGLED),
    "signed length": (length(b"+" + _SIZE), SMUGGLED),
    "negative length": (length(b"-1"), SMUGGLED),
    "length in hexadecimal": (length(b"0x%x" % len(SMUGGLED)), SMUGGLED),
    "length with a space in it": (length(b"4 3"), SMUGGLED),
    "length with a vertical tab": (length(b"0\x0b"), SMUGGLED),
    "length past 64 bits": (length(b"%d" % (2**64 + len(SMUGGLED))), SMUGGLED),
    "length of nothing": (b"Content-Length:\r\n", SMUGGLED),
    # Chunks whose size or end isn't clear.
    "chunk of 0x": (_CHUNKED, b"0x%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
    "signed chunk": (_CHUNKED, b"+%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
    "negative chunk": (_CHUNKED, b"-1\r\n" + SMUGGLED),
    "chunk behind a space": (_CHUNKED, b" 0\r\n\r\n" + SMUGGLED),
    "chunk without a size": (_CHUNKED, b"\r\n" + SMUGGLED),
    "chunk past 64 bits": (_CHUNKED, b"1%016x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
    "chunk without an end": (_CHUNKED, b"1\r\nab\r\n" + _EMPTY + SMUGGLED),
    "line feed alone after a chunk's size": (_CHUNKED, b"1\nx\r\n" + _EMPTY + SMUGGLED),
    "line feed alone after a chunk": (_CHUNKED, b"1\r\nx\n" + _EMPTY + SMUGGLED),
    "line feed alone in a chunk's extension": (_CHUNKED, b"1;x\ny\r\nx\r\n" + _EMPTY + SMUGGLED),
    "line feed alone after the last chunk": (_CHUNKED, b"0\n\n" + SMUGGLED),
    "space before a trailer's colon": (_CHUNKED, b"0\r\nX : y\r\n\r\n" + SMUGGLED),
}
"""What stands after the first lines, without the empty line, and what comes as its body."""


def request(start: str, framing: str) -> bytes:
    """Return a request, with what is hidden in it."""
    head, body = FRAMINGS[framing]
    return STARTS[start] + head + b"\r\n" + body


HEADS: dict[str, bytes] = {
    "line feeds alone": b"GET /healthz HTTP/1.1\nHost: localhost\n\n" + SMUGGLED,
    "a line feed alone after the first line": b"GET /healthz HTTP/1.1\nHost: localhost\r\n\r\n" + SMUGGLED,
    "a first header that is folded": b"GET /healthz HTTP/1.1\r\n X: y\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "chunks in HTTP/1.0": b"POST /healthz HTTP/1.0\r\nHost: localhost\r\n" + _CHUNKED + b"\r\n" + _HIDDEN,
    "a tab in the first line": b"GET\t/healthz\tHTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "no version": b"GET /healthz\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "a carriage return in the target": b"GET /health\rz HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "a space in the target": b"GET /healthz HTTP/1.1 HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "two spaces before the target": b"GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "two spaces after the target": b"GET /healthz  HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "a tab in the target": b"GET /healthz\tHTTP/1.1 HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "a line feed alone before the first line": b"\n" + STARTS["a page"] + b"\r\n" + SMUGGLED,
    "another protocol": b"POST /healthz RTSP/1.0\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "an absolute target with a user": b"GET http://localhost@other/ HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "an absolute target without a host": b"GET http:///healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED,
    "two hosts": STARTS["a page"] + b"Host: other\r\n\r\n" + SMUGGLED,
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n" + SMUGGLED,
    "a header without a colon": STARTS["a page"] + b"X\r\n\r\n" + SMUGGLED,
    "a header of no name": STARTS["a page"] + b": x\r\n\r\n" + SMUGGLED,
    "an upgrade to cleartext HTTP/2": STARTS["a page"]
    + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nContent-Length: x\r\n\r\n"
    + SMUGGLED,
}
"""Whole heads that proxies read in more than one way."""
CASES = {f"{start}, {framing}": request(start, framing) for start in STARTS for framing in FRAMINGS} | HEADS

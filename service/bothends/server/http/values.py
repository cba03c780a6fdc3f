"""Says whether a JSON text holds more values than a request may, before an object is made of any.

Four megabytes of `[],` are 1.4 million lists: a hundred megabytes, and a second in which no other thread goes on.
"""

import numpy as np

from ...errors import RequestError

_OTHERS = 64
"""Values besides its list that any request may have."""
_QUOTE, _COMMA, _LIST, _OBJECT = b'",[{'


def check_values(content: bytes, *, most: int, max_lists: int = 0, field: str = "") -> None:
    """Raise RequestError for more than about `most` values, or `max_lists` lists and objects, however they nest.

    `field` is what the error blames.
    Each value but the first follows a comma or what opens a list or an object. What is no JSON may pass.
    """
    most, max_lists = most + _OTHERS, max_lists + _OTHERS
    if content.count(b",") <= most and content.count(b"[") + content.count(b"{") <= max_lists:
        return  # wherever they stand
    marks = _outside_strings(content)
    if np.count_nonzero(marks == _COMMA) > most:
        raise RequestError(f"the body holds more than the {most} values that a request may have", field=field)
    if np.count_nonzero((marks == _LIST) | (marks == _OBJECT)) > max_lists:
        raise RequestError(f"the body holds more than the {max_lists} lists that a request may have", field=field)


def _outside_strings(content: bytes) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    """Return the bytes that stand outside of strings, and the quotes that begin them."""
    bare = content.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in content else content
    found = np.frombuffer(bare, np.uint8)
    is_inside = np.bitwise_xor.accumulate((found == _QUOTE).view(np.uint8))
    marks: np.ndarray[tuple[int], np.dtype[np.uint8]] = found[is_inside == 0]
    return marks

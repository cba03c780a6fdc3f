"""Checks that a JSON text doesn't hold more values than a request may, before any object is made of it.

Four megabytes of `[],` are 1.4 million lists: parsing takes a hundred megabytes, and blocks all other threads for a
second.
"""

import numpy as np

from ...errors import RequestError

_OTHERS = 64
"""Values besides its list that any request may have."""
_QUOTE, _COMMA, _LIST, _OBJECT = b'",[{'


def check_values(content: bytes, *, max_values: int, max_lists: int = 0, field: str = "") -> None:
    """Raise RequestError for more than about `max_values` values, or more than `max_lists` lists and objects at any
    depth.

    `field` is the field that the error names. Values are counted by what precedes them: a comma, or an opening bracket
    or brace. Invalid JSON may pass.
    """
    max_values, max_lists = max_values + _OTHERS, max_lists + _OTHERS
    if content.count(b",") <= max_values and content.count(b"[") + content.count(b"{") <= max_lists:
        return  # wherever they stand
    marks = _outside_strings(content)
    if np.count_nonzero(marks == _COMMA) > max_values:
        raise RequestError(f"the body holds more than the {max_values} values that a request may have", field=field)
    if np.count_nonzero((marks == _LIST) | (marks == _OBJECT)) > max_lists:
        raise RequestError(f"the body holds more than the {max_lists} lists that a request may have", field=field)


def _outside_strings(content: bytes) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    """Return the bytes outside of strings, and the quotes that begin strings."""
    bare = content.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in content else content
    found = np.frombuffer(bare, np.uint8)
    is_inside = np.bitwise_xor.accumulate((found == _QUOTE).view(np.uint8))
    marks: np.ndarray[tuple[int], np.dtype[np.uint8]] = found[is_inside == 0]
    return marks

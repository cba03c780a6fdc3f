"""Refuses a ModelInferRequest with too many or too long fields by looking at its bytes, before a parser makes objects.

Its texts may be long and many. All other fields together need a few hundred bytes.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from ....errors import RequestError
from ....wire.counting import Bytes, fields
from ...dispatch import FAR

_SHORT_BYTES = 1024
"""Bytes of a request in which no number of fields is a burden."""
_NAME_BYTES = 1 << 14
_SMALL_BYTES = 1024


class _Bound(NamedTuple):
    """Bounds of one field."""

    name: str
    max_count: int
    bytes: int | None = None
    """Most bytes of each; None for those that hold texts."""


_Bounds = Mapping[int, _Bound]
"""Bounds by the fields' numbers in proto/bothends/kserve/v2/inference.proto."""
_REQUEST: _Bounds = {
    1: _Bound("model_name", 1, _NAME_BYTES),
    2: _Bound("model_version", 1, _NAME_BYTES),
    3: _Bound("id", 1, _SMALL_BYTES),
    4: _Bound("parameters", 64, _SMALL_BYTES),
    5: _Bound("inputs", 16),
    6: _Bound("outputs", 64, _SMALL_BYTES),
    7: _Bound("raw_input_contents", 16),
}
_INPUT: _Bounds = {
    1: _Bound("name", 1, _SMALL_BYTES),
    2: _Bound("datatype", 1, _SMALL_BYTES),
    3: _Bound("shape", 16, _SMALL_BYTES),
    4: _Bound("parameters", 64, _SMALL_BYTES),
    5: _Bound("contents", 1),
}
_INPUTS, _CONTENTS, _BYTES_CONTENTS = 5, 5, 8
_OTHER = _Bound("fields that aren't known", 64, _SMALL_BYTES)


def check(content: bytes, *, max_texts: int) -> None:
    """Raise RequestError if a serialised ModelInferRequest has more fields, or longer ones, than any client needs for
    `max_texts` texts.
    """
    if len(content) <= _SHORT_BYTES:
        return
    for field in _checked(memoryview(content), _REQUEST, "").get(_INPUTS, ()):
        for contents in _checked(field, _INPUT, "inputs[0].").get(_CONTENTS, ()):
            texts = _Bound("contents.bytes_contents", FAR * max_texts)
            _checked(contents, {_BYTES_CONTENTS: texts}, "inputs[0].", costs=max_texts)


def _checked(content: Bytes, bounds: _Bounds, within: str, *, costs: int = 0) -> dict[int, list[Bytes]]:
    """Return the fields that may hold texts, by number. Looks at no more fields than the bounds allow."""
    found: Counter[str] = Counter()
    long: dict[int, list[Bytes]] = {}
    for number, field in fields(content):
        bound = bounds.get(number, _OTHER)
        name = f"{within}{bound.name}"
        found[name] += 1
        if found[name] > bound.max_count:
            raise RequestError(f"more than {bound.max_count} {name} came", field=name, costs=costs)
        if bound.bytes is None:
            long.setdefault(number, []).append(field or b"")
        elif field is not None and len(field) > bound.bytes:
            raise RequestError(f"{name} has {len(field)} bytes; this server's limit is {bound.bytes}", field=name)
    return long

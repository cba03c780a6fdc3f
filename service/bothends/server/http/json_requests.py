"""Parses JSON requests as the pydantic models of a front, or reports in one line what is wrong.

Model names, sizes and token ids are checked later, where the model is known.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from ...engines.contract import TokenIds
from ...errors import RequestError
from ...options import OPTIONS, Options
from ...text import printable
from ...validation import first_problem

Input: TypeAlias = Sequence[str] | Sequence[TokenIds]
"""Texts, or token ids of the model's own tokenizer; not a mixture."""
RequestT = TypeVar("RequestT", bound=BaseModel)
AskingT = TypeVar("AskingT", bound="Asking")
_SHOWN_CHARS = 64
TRUNCATION = f"Not this API's own, and before what is: {OPTIONS['truncation'].what}"
"""Description of our option in an API that has words of its own for a part of it."""
_TEXTS = "a string or a list of strings"
_IDS = "a list of token ids, or a list of lists of token ids"
_TEXTS_OR_IDS = "a string, a list of strings, a list of token ids, or a list of lists of token ids"


class Asking(BaseModel):
    """A request for embeddings, to which `with_options` has added an API's options."""

    model_config = ConfigDict(extra="forbid", strict=True)  # which also stands in the OpenAPI document

    def as_options(self, **own: Any) -> Options:
        """Return the options of this request. `own` are values of options that the API has in other words, as the front
        has translated them; they come before the request's fields.
        """
        return Options(**{name: getattr(self, name) for name in OPTIONS if name in type(self).model_fields} | own)


def with_options(front: str) -> Callable[[type[AskingT]], type[AskingT]]:
    """Return a decorator of a front's request: it adds the options that the API of `front`, a folder of server/fronts,
    calls by our names, except those that the class declares itself.
    """

    def add(kind: type[AskingT]) -> type[AskingT]:
        added: dict[str, Any] = {
            name: (option.hint, Field(option.default, description=option.what))
            for name, option in OPTIONS.items()
            if option.called.get(front) == name and name not in kind.model_fields
        }
        return create_model(kind.__name__, __base__=kind, __doc__=kind.__doc__, __module__=kind.__module__, **added)

    return add


def texts(given: Any, *, name: str) -> Sequence[str]:
    """Return a list of texts from `given`, a value of JSON: one text or a list of them. `name` is its field's.

    Raises RequestError that says what is wrong without quoting the text.
    """
    return _texts(given, name, _TEXTS)


def texts_or_ids(given: Any, *, name: str) -> Input:
    """Return a list of texts, or of lists of token ids. Raises RequestError like `texts`."""
    return _texts(given, name, _TEXTS_OR_IDS) if (found := _ids(given, name)) is None else found


def token_ids(given: Any, *, name: str) -> Sequence[TokenIds]:
    """Return a list of lists of token ids from one list or several; an empty list from nothing. Raises like `texts`."""
    if (found := [] if given == [] else _ids(given, name)) is None:
        raise RequestError(f"{name} is {_IDS}", field=name)
    return found


def parse(content: bytes, kind: type[RequestT]) -> RequestT:
    """Parse a request as the pydantic model `kind`. Raises RequestError, in one line, if `content` doesn't fit."""
    return as_request(read_object(content), kind)


def read_object(content: bytes) -> dict[str, Any]:
    """Read the JSON object that `content` is. Raises like `parse`."""
    try:
        given = json.loads(content.decode(), parse_constant=_no_number)
    except UnicodeDecodeError:
        raise RequestError("the body isn't UTF-8 text", field="") from None
    except RecursionError:
        raise RequestError("the body is nested too deeply", field="") from None
    except json.JSONDecodeError as error:
        raise RequestError(
            f"the body isn't valid JSON: {error.msg} at line {error.lineno}, column {error.colno}", field=""
        ) from None
    except ValueError:  # an int of more digits than Python reads
        raise RequestError("the body holds a number that is too long", field="") from None
    if not isinstance(given, dict):
        raise RequestError("the body isn't a JSON object", field="")
    return given


def as_request(given: Mapping[str, Any], kind: type[RequestT]) -> RequestT:
    """Check a JSON object as the pydantic model `kind`. Raises like `parse`."""
    for name in given:
        if name not in kind.model_fields:  # pydantic would make an error of each
            shown = printable(name)[:_SHOWN_CHARS]
            raise RequestError(f"unknown parameter {shown!r}; there are {', '.join(kind.model_fields)}", field=shown)
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise _first_mistake(error) from None


def _ids(given: Any, name: str) -> Sequence[TokenIds] | None:
    """Return lists of token ids; None where `given` begins as something else."""
    if not isinstance(given, list) or not given:
        return None
    if type(given[0]) is int:  # a bool is no id, though Python has it for an int
        _check(given, int, name, "isn't a token id, as the first is")
        return [given]
    if not isinstance(given[0], list):
        return None
    _check(given, list, name, "isn't a list of token ids, as the first is")
    for index, ids in enumerate(given):
        _check(ids, int, f"{name}[{index}]", "isn't a token id")
    return given


def _texts(given: Any, name: str, what: str) -> Sequence[str]:
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list):
        raise RequestError(f"{name} is {what}", field=name)
    _check(given, str, name, f"isn't a string; {name} is {what}")
    return given


def _check(values: list[Any], kind: type, name: str, problem: str) -> None:
    if set(map(type, values)) - {kind}:
        index = next(index for index, value in enumerate(values) if type(value) is not kind)
        raise RequestError(f"{name}[{index}] {problem}", field=f"{name}[{index}]")


def _no_number(name: str) -> Any:
    raise RequestError(f"the body holds {name}, which isn't JSON", field="")


def _first_mistake(error: ValidationError) -> RequestError:
    """Return an error for the first mistake that doesn't quote the value."""
    first = first_problem(error)
    name = ".".join(map(printable, first.path))[:_SHOWN_CHARS]
    if first.kind == "missing":
        return RequestError(f"missing parameter {name!r}", field=name)
    return RequestError(f"{name}: {first.lower_message}", field=name)

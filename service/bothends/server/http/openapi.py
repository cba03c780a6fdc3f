"""OpenAPI 3.1 document of the HTTP port, put together from what each front says about its own paths."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, NamedTuple, TypeAlias

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from .failure import JSON

OPENAPI, _DOCS = "/openapi.json", "/docs"
_BEARER = "BearerAuth"
_ANYWHERE = (401, 405, 429, 503, 504)
"""Statuses of errors that any call may meet."""
Schema: TypeAlias = type[BaseModel] | Mapping[str, Any]
"""Pydantic model that becomes one of the document's schemas, or a schema as it is."""


class Operation(NamedTuple):
    """HTTP operation (a method of a path): what it takes and what it answers."""

    method: str
    """In lower case."""
    path: str
    summary: str
    answer: Schema
    error: Schema | None = None
    """Body of its errors; None for a probe, which needs no key."""
    request: Schema | None = None
    errors: Sequence[int] = ()
    """Statuses of its errors besides those that any call may meet."""
    named: Sequence[str] = ()
    """Names in its path that are placeholders for a text."""


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Make the document as JSON values. Pydantic models must have different names."""
    operations = list(operations)
    bodies = [body for each in operations for body in (each.answer, each.error, each.request)]
    models = dict.fromkeys(body for body in bodies if isinstance(body, type))
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, _parameters(each.named))[each.method] = _described(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "bothends", "version": version("bothends")},
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {_BEARER: {"type": "http", "scheme": "bearer"}},
        },
    }


def routes(made: Mapping[str, Any]) -> list[BaseRoute]:
    """Make the route of the OpenAPI document `made`, given as JSON values. It needs no key, just as gRPC's reflection
    needs none.
    """
    content = orjson.dumps(made)

    async def openapi(_: Request) -> Response:
        return Response(content, media_type=JSON)

    async def docs(_: Request) -> Response:
        return RedirectResponse(OPENAPI)

    return [Route(OPENAPI, openapi), Route(_DOCS, docs)]


def _described(operation: Operation) -> dict[str, Any]:
    codes: dict[int, Schema] = {200: operation.answer}
    described: dict[str, Any] = {"summary": operation.summary}
    if operation.error is not None:
        codes |= dict.fromkeys(sorted((*operation.errors, *_ANYWHERE)), operation.error)
        described["security"] = [{}, {_BEARER: []}]
    elif operation.errors:
        codes |= dict.fromkeys(operation.errors, operation.answer)
    if operation.request is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.request)}
    described["responses"] = {
        str(code): {"description": HTTPStatus(code).phrase, "content": _content(schema)}
        for code, schema in codes.items()
    }
    return described


def _parameters(names: Sequence[str]) -> dict[str, Any]:
    found = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    return {"parameters": found} if found else {}


def _content(schema: Schema) -> dict[str, Any]:
    found = {"$ref": f"#/components/schemas/{schema.__name__}"} if isinstance(schema, type) else dict(schema)
    return {JSON: {"schema": found}}

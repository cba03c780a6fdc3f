"""The OpenAPI 3.1 document of the HTTP API, made from the pydantic models of its requests and answers."""

from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic.json_schema import models_json_schema

from .requests import EmbeddingRequest, EmbeddingResponse, ErrorResponse, Model, ModelList

_BEARER = "BearerAuth"
_ANYWHERE = (401, 405, 429, 500, 503, 504)
"""Statuses of errors that any call may meet."""


def document() -> dict[str, Any]:
    """Make the document, of what JSON can hold."""
    models = (EmbeddingRequest, EmbeddingResponse, Model, ModelList, ErrorResponse)
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    embed = _operation("Embed sentences", "EmbeddingResponse", 400, 404, 408, 413, 415)
    name = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "bothends", "version": version("bothends")},
        "paths": {
            "/v1/embeddings": {
                "post": embed | {"requestBody": {"required": True, "content": _ref("EmbeddingRequest")}}
            },
            "/v1/models": {"get": _operation("The model that is served", "ModelList")},
            "/v1/models/{model}": {"parameters": [name], "get": _operation("One model", "Model", 404)},
            "/healthz": {"get": _probe("Whether the process lives", 200)},
            "/readyz": {"get": _probe("Whether it serves", 200, 503)},
        },
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {_BEARER: {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(summary: str, answer: str, *errors: int) -> dict[str, Any]:
    codes = {200: answer} | dict.fromkeys(sorted((*errors, *_ANYWHERE)), "ErrorResponse")
    responses = {str(code): _response(code, _ref(schema)) for code, schema in codes.items()}
    return {"summary": summary, "security": [{}, {_BEARER: []}], "responses": responses}


def _probe(summary: str, *codes: int) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]}
    content = {"application/json": {"schema": schema}}
    return {"summary": summary, "responses": {str(code): _response(code, content) for code in codes}}


def _response(code: int, content: dict[str, Any]) -> dict[str, Any]:
    return {"description": HTTPStatus(code).phrase, "content": content}


def _ref(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}

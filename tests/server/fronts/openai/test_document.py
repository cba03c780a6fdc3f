"""The OpenAPI document of the HTTP API."""

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from bothends.server.fronts.openai.document import document


def test_it_is_a_valid_document() -> None:
    """OpenAPI 3.1, in which requests follow their schema and others don't."""
    made = document()
    OpenAPIV31SpecValidator(made).validate()
    schema = {"$ref": "#/components/schemas/EmbeddingRequest", "components": made["components"]}
    jsonschema.validate({"model": "english", "input": [[1, 2], [3]], "dimensions": 64}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"model": "english", "input": [1], "n": 1}, schema)


def test_each_operation_names_its_answer() -> None:
    """200 has a schema of its own, every error the same one; probes need no key."""
    for path, methods in document()["paths"].items():
        operation = methods.get("post") or methods["get"]
        assert "200" in operation["responses"], path
        assert ("security" in operation) == path.startswith("/v1/"), path

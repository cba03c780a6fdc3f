"""One table of options: keywords, the contract, every API's requests, C++ and the documentation have its rows."""

import re
from collections.abc import Sequence
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel

from bothends.options import OPTIONS, EmbedOptions, Option, Options
from bothends.server.fronts.ollama.requests import OllamaEmbedRequest
from bothends.server.fronts.openai.requests import EmbeddingRequest
from bothends.server.fronts.tei.requests import TeiEmbedRequest
from bothends.v1 import embedding_pb2
from tests.support.paths import ROOT

ROWS = ROOT / "native" / "transport" / "options.hpp"
API = ROOT / "docs" / "api.md"
COLUMNS = {"kserve": "ModelInfer", "openai": "POST /v1/embeddings", "tei": "POST /embed", "ollama": "POST /api/embed"}
JSON: dict[str, tuple[type[BaseModel], set[str]]] = {
    "openai": (EmbeddingRequest, {"model", "input", "user"}),
    "tei": (TeiEmbedRequest, {"inputs", "prompt_name"}),
    "ollama": (OllamaEmbedRequest, {"model", "options", "keep_alive", "input"}),
}
"""Requests of each API, and what they have that is no option."""


def test_a_client_has_a_keyword_for_each_option() -> None:
    """Keywords can't be made of a table, since type checkers read them; they have its names, types and order."""
    assert list(get_type_hints(EmbedOptions).items()) == [(name, get_type_hints(Options)[name]) for name in OPTIONS]


@pytest.mark.parametrize("message", [embedding_pb2.EmbedRequest, embedding_pb2.EmbedStreamRequest])
def test_the_contract_has_a_field_for_each_option(message: Any) -> None:
    """Fields have the same numbers in both requests, and no enum has a word that the table lacks."""
    found = {field.name: field for field in message.DESCRIPTOR.fields}
    assert found.keys() - {"sentences", "model"} == OPTIONS.keys()
    for name, option in OPTIONS.items():
        assert found[name].number == embedding_pb2.EmbedRequest.DESCRIPTOR.fields_by_name[name].number
        if option.words:
            assert set(numbered(option)) == set(option.words)


def numbered(option: Option) -> list[str]:
    """An option's words in the order of their numbers in the contract, from 1."""
    field: Any = embedding_pb2.EmbedRequest.DESCRIPTOR.fields_by_name[option.name]
    values = field.enum_type.values
    words = {each.number: word for each in values for word in option.words if each.name.endswith("_" + word.upper())}
    return [words[number] for number in range(1, len(values))]


def test_requests_in_json_have_the_options_that_their_apis_are_said_to_have() -> None:
    for front, (request, others) in JSON.items():
        called = {word for option in OPTIONS.values() for word in option.called.get(front, "").split(", ") if word}
        assert request.model_fields.keys() - others == called


def test_cpp_has_the_same_rows() -> None:
    """Their names, tags and APIs, and the words of enums in the order of their numbers."""
    text = ROWS.read_text()
    rows = {name: (int(tag, 16), set(re.findall(r"api::(\w+)", apis)) - {"none"})
            for name, tag, apis in re.findall(r'Option\{"(\w+)", (0x\w+), ([^&]+), &Options::\w+\}', text)}  # fmt: skip
    fields = embedding_pb2.EmbedRequest.DESCRIPTOR.fields_by_name
    assert rows == {
        name: (fields[name].number << 3, {front for front, called in option.called.items() if called == name})
        for name, option in OPTIONS.items()
    }
    words = {kind: re.findall(r'"(\w+)"', found) for kind, found in re.findall(r"words_of\((\w+)\) \{(.+)\}", text)}
    assert words == {name.capitalize(): numbered(option) for name, option in OPTIONS.items() if option.words}


def test_the_documentation_has_the_same_rows() -> None:
    lines = [line for line in API.read_text().splitlines() if line.startswith("|")]
    head = "| option | values | what | " + " | ".join(f"`{column}`" for column in COLUMNS.values()) + " |"
    start = lines.index(head) + 2
    right = [row(option) for option in OPTIONS.values()]
    assert lines[start : start + len(right)] == right, "docs/api.md should have\n" + "\n".join(right)


def row(option: Option) -> str:
    """The option's row in the documentation: its values with the default first, and what each API calls it."""
    others: Sequence[Any] = {bool: (True,), int: ("a number",)}.get(option.kind, option.words)
    values = [option.default, *(value for value in others if value != option.default)]
    shown = ", ".join(value if value == "a number" else f"`{value}`" for value in values)
    called = (option.called.get(front, "") for front in COLUMNS)
    cells = (", ".join(f"`{word}`" for word in words.split(", ")) if words else "" for words in called)
    return f"| `{option.name}` | {shown} | {option.what} | " + " | ".join(cells) + " |"

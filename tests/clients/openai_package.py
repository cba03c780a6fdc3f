"""Embeddings and errors by OpenAI's own package, printed as JSON. Arguments: URL; sentences and ids on stdin."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import openai

URL, KEY = sys.argv[1], os.environ.get("BOTHENDS_API_KEY", "any")
GIVEN = json.load(sys.stdin)
SENTENCES, IDS = GIVEN["sentences"], GIVEN["ids"]


def vectors(answer: openai.types.CreateEmbeddingResponse) -> list[list[float]]:
    return [item.embedding for item in answer.data]


def problem(ask: Callable[[], object]) -> dict[str, Any]:
    """The class of the error that it raises, and its fields."""
    try:
        ask()
    except openai.APIStatusError as error:
        return {"class": type(error).__name__, "code": error.code, "param": error.param, "message": error.message}
    raise AssertionError("nothing was raised")


async def by_asyncio() -> list[list[float]]:
    async with openai.AsyncOpenAI(base_url=URL, api_key=KEY) as client:
        asked = (client.embeddings.create(model="english", input=sentence) for sentence in SENTENCES)
        return [vectors(answer)[0] for answer in await asyncio.gather(*asked)]


def main() -> None:
    client = openai.OpenAI(base_url=URL, api_key=KEY, max_retries=0)
    create = client.embeddings.create
    default = create(model="english", input=SENTENCES)
    found = {
        "default": vectors(default),
        "usage": default.usage.model_dump(),
        "model": default.model,
        "float": vectors(create(model="english", input=SENTENCES, encoding_format="float", user="somebody")),
        "one": vectors(create(model="english", input=SENTENCES[0])),
        "ids": vectors(create(model="english", input=IDS)),
        "ids of one": vectors(create(model="english", input=IDS[0])),
        "dimensions": vectors(create(model="english", input=SENTENCES, dimensions=64)),
        "asyncio": asyncio.run(by_asyncio()),
        "end": vectors(create(model="english", input="word " * 300 + "end", extra_body={"truncation": "end"})),
        "models": [model.id for model in client.models.list()],
        "retrieved": client.models.retrieve("english").id,
        "errors": {
            "model": problem(lambda: create(model="text-embedding-3-small", input="a")),
            "empty": problem(lambda: create(model="english", input=["a", ""])),
            "long": problem(lambda: create(model="english", input="word " * 300)),
            "none": problem(lambda: create(model="english", input=[])),
            "unknown": problem(lambda: create(model="english", input="a", extra_body={"n": 0})),
            "retrieve": problem(lambda: client.models.retrieve("another/model")),
        },
    }
    if wrong := GIVEN.get("wrong_key"):
        known = openai.OpenAI(base_url=URL, api_key=wrong, max_retries=0)
        found["errors"]["key"] = problem(lambda: known.embeddings.create(model="english", input="a"))
    if slow := GIVEN.get("slow_key"):
        limited = openai.OpenAI(base_url=URL, api_key=slow, max_retries=0)
        limited.embeddings.create(model="english", input=["a", "b"])
        found["errors"]["share"] = problem(lambda: limited.embeddings.create(model="english", input="a"))
        patient = limited.with_options(max_retries=3)  # as long as Retry-After says, and no longer
        found["patient"] = vectors(patient.embeddings.create(model="english", input=SENTENCES[0]))
    json.dump(found, sys.stdout)


main()

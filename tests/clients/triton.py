"""Calls of a server with tritonclient, as its users write it: `python triton.py HOST:PORT`; sentences come as JSON.

Prints what it saw as JSON, vectors as hexadecimal. A key, where the server asks for one, is in BOTHENDS_API_KEY.
"""

import asyncio
import json
import os
import queue
import sys
from typing import Any

import numpy as np
from tritonclient import grpc as triton
from tritonclient.grpc import aio
from tritonclient.utils import InferenceServerException

MODEL = "english"
KEY = os.environ.get("BOTHENDS_API_KEY")
HEADERS = {"authorization": f"Bearer {KEY}"} if KEY else None
OPTIONS = {"normalize": True, "dimensions": 128, "truncation": "end"}


def tensor(sentences: list[str]) -> triton.InferInput:
    """Make the input: one text a row."""
    texts = np.array([[sentence.encode()] for sentence in sentences], dtype=np.object_)
    made = triton.InferInput("text", list(texts.shape), "BYTES")
    made.set_data_from_numpy(texts)
    return made


def seen(result: triton.InferResult) -> dict[str, Any]:
    """The contents of a response."""
    rows = result.as_numpy("embedding")
    others = (result.as_numpy(name) for name in ("token_count", "truncated"))
    token_count, truncated = (None if found is None else found.tolist() for found in others)
    return {
        "rows": rows.tobytes().hex(),
        "dtype": str(rows.dtype),
        "shape": rows.shape,
        "token_count": token_count,
        "truncated": truncated,
        "version": result.get_response().model_version,
        "id": result.get_response().id,
    }


def several_at_once(client: triton.InferenceServerClient, sentences: list[str]) -> list[dict[str, Any]]:
    """Make one call a sentence, all under way together; answers are in the sentences' order."""
    answers: queue.Queue[tuple[int, Any, Any]] = queue.Queue()
    for place, sentence in enumerate(sentences):
        client.async_infer(
            MODEL,
            [tensor([sentence])],
            callback=lambda result, error, place=place: answers.put((place, result, error)),
            headers=HEADERS,
        )
    arrived = [answers.get(timeout=30) for _ in sentences]
    assert not any(error for _, _, error in arrived), arrived
    return [seen(result) for _, result, _ in sorted(arrived, key=lambda answer: answer[0])]


def refused(client: triton.InferenceServerClient, *, model: str = MODEL, **options: Any) -> tuple[str, str]:
    """Make a call that fails: status and text."""
    inputs = options.pop("inputs", None) or [tensor(["a"])]
    try:
        client.infer(model, inputs, headers=HEADERS, **options)
    except InferenceServerException as error:
        return str(error.status()), str(error.message())
    raise AssertionError("it was answered")


def numbers() -> triton.InferInput:
    """Make an input of numbers, which this model doesn't read."""
    made = triton.InferInput("text", [1, 1], "FP32")
    made.set_data_from_numpy(np.zeros((1, 1), np.float32))
    return made


async def suspended(target: str, sentences: list[str]) -> dict[str, Any]:
    """Make the same call by asyncio."""
    async with aio.InferenceServerClient(target) as client:
        assert await client.is_server_ready()
        return seen(await client.infer(MODEL, [tensor(sentences)], headers=HEADERS))


def main() -> None:
    """Ask in every way."""
    target, sentences = sys.argv[1], json.load(sys.stdin)
    client = triton.InferenceServerClient(target)
    asked_for = [triton.InferRequestedOutput("embedding")]
    report = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "models_ready": [client.is_model_ready(name) for name in (MODEL, "another")],
        "server": client.get_server_metadata(headers=HEADERS, as_json=True),
        "metadata": client.get_model_metadata(MODEL, headers=HEADERS, as_json=True),
        "config": client.get_model_config(MODEL, headers=HEADERS, as_json=True)["config"],
        "plain": seen(client.infer(MODEL, [tensor(sentences)], request_id="7", headers=HEADERS)),
        "options": seen(
            client.infer(
                MODEL,
                [tensor(sentences)],
                outputs=asked_for,
                parameters=OPTIONS,
                headers=HEADERS,
                priority=2,  # and others that it sends to any model
                timeout=30_000_000,
                sequence_id=5,
                sequence_start=True,
            )
        ),
        "shaped": seen(
            client.infer(
                MODEL, [tensor(sentences[:2])], parameters=OPTIONS, request_id="8", headers=HEADERS, priority=2
            )
        ),
        "several": several_at_once(client, sentences),
        "aio": asyncio.run(suspended(target, sentences)),
        "wrong_dtype": refused(client, inputs=[numbers()]),
        "unknown_model": refused(client, model="another"),
        "unknown_parameter": refused(client, parameters={"pooling": "mean"}),
        "too_late": refused(client, inputs=[tensor(["word " * 250] * 500)], client_timeout=0.02),
    }
    client.close()
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()

"""Calls of a server with tritonclient over HTTP, as its users write it: `python triton_http.py URL`; sentences come as
JSON.

Prints what it saw as JSON, vectors as hexadecimal. A key, where the server asks for one, is in BOTHENDS_API_KEY.
"""

import asyncio
import json
import os
import sys
from typing import Any

import numpy as np
from tritonclient import http as triton
from tritonclient.http import aio
from tritonclient.utils import InferenceServerException

MODEL = "english"
KEY = os.environ.get("BOTHENDS_API_KEY")
OPTIONS = {"normalize": True, "dimensions": 128, "truncation": "end"}


def headers() -> dict[str, str]:
    """Make a call's headers anew: the client adds a body's length to those that it is given."""
    return {"authorization": f"Bearer {KEY}"} if KEY else {}


def tensor(sentences: list[str], *, binary: bool = True) -> triton.InferInput:
    """Make the input: one text a row."""
    texts = np.array([[sentence] for sentence in sentences], dtype=np.object_)
    made = triton.InferInput("text", list(texts.shape), "BYTES")
    made.set_data_from_numpy(texts, binary_data=binary)
    return made


def seen(result: Any) -> dict[str, Any]:
    """The contents of a response."""
    rows = result.as_numpy("embedding")
    others = (result.as_numpy(name) for name in ("token_count", "truncated"))
    token_count, truncated = (None if found is None else found.tolist() for found in others)
    response = result.get_response()
    return {
        "rows": rows.tobytes().hex(),
        "dtype": str(rows.dtype),
        "shape": rows.shape,
        "token_count": token_count,
        "truncated": truncated,
        "version": response["model_version"],
        "id": response.get("id", ""),
    }


def refused(client: triton.InferenceServerClient, *, model: str = MODEL, **options: Any) -> tuple[str, str]:
    """Make a call that fails: status and text."""
    try:
        client.infer(model, [tensor(["a"])], headers=headers(), **options)
    except InferenceServerException as error:
        return str(error.status()), str(error.message())
    raise AssertionError("it was answered")


async def suspended(address: str, sentences: list[str]) -> dict[str, Any]:
    """Make the same call by asyncio."""
    async with aio.InferenceServerClient(address) as client:
        assert await client.is_server_ready()
        return seen(await client.infer(MODEL, [tensor(sentences)], headers=headers()))


def main() -> None:
    """Ask in every way."""
    address, sentences = sys.argv[1].removeprefix("http://"), json.load(sys.stdin)
    client = triton.InferenceServerClient(address)
    names = ("embedding", "token_count", "truncated")
    in_json = [triton.InferRequestedOutput(name, binary_data=False) for name in names]
    report = {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "models_ready": [client.is_model_ready(name) for name in (MODEL, "another")],
        "server": client.get_server_metadata(headers=headers()),
        "metadata": client.get_model_metadata(MODEL, headers=headers()),
        "config": client.get_model_config(MODEL, headers=headers()),
        "plain": seen(client.infer(MODEL, [tensor(sentences)], request_id="7", headers=headers())),
        "json": seen(
            client.infer(MODEL, [tensor(sentences, binary=False)], outputs=in_json, request_id="7", headers=headers())
        ),
        "compressed": seen(
            client.infer(
                MODEL, [tensor(sentences)], request_id="7", headers=headers(), request_compression_algorithm="gzip"
            )
        ),
        "options": seen(
            client.infer(
                MODEL,
                [tensor(sentences)],
                outputs=[triton.InferRequestedOutput("embedding")],
                parameters=OPTIONS,
                headers=headers(),
                priority=2,  # and others that it sends to any model
                timeout=30_000_000,
                sequence_id=5,
                sequence_start=True,
            )
        ),
        "several": [
            seen(each.get_result())
            for each in [client.async_infer(MODEL, [tensor([sentence])], headers=headers()) for sentence in sentences]
        ],
        "aio": asyncio.run(suspended(address, sentences)),
        "unknown_model": refused(client, model="another"),
        "unknown_parameter": refused(client, parameters={"pooling": "mean"}),
    }
    client.close()
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()

"""Embeddings by Haystack's OpenAI embedders, printed as JSON. Arguments: URL; sentences on stdin."""

import asyncio
import json
import os
import sys
from typing import Any

from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.utils import Secret

SENTENCES = json.load(sys.stdin)["sentences"]
SERVER = {"api_base_url": sys.argv[1], "api_key": Secret.from_token(os.environ.get("BOTHENDS_API_KEY", "any"))}


def vectors(answer: dict[str, Any]) -> list[list[float]]:
    return [document.embedding for document in answer["documents"]]


def documents() -> list[Document]:
    return [Document(content=sentence) for sentence in SENTENCES]


embedder = OpenAIDocumentEmbedder(model="english", batch_size=2, progress_bar=False, **SERVER)
short = OpenAIDocumentEmbedder(model="english", dimensions=64, progress_bar=False, **SERVER)
json.dump(
    {
        "documents": vectors(embedder.run(documents())),
        "query": [OpenAITextEmbedder(model="english", **SERVER).run(SENTENCES[0])["embedding"]],
        "asyncio": vectors(asyncio.run(embedder.run_async(documents()))),
        "dimensions": vectors(short.run(documents())),
    },
    sys.stdout,
)

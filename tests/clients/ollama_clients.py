"""Embeddings by clients of Ollama, printed as JSON. Arguments: URL; sentences on stdin."""

import asyncio
import json
import os
import sys
from typing import Any

from langchain_ollama import OllamaEmbeddings
from llama_index.embeddings.ollama import OllamaEmbedding
from ollama import AsyncClient, Client, ResponseError

URL = sys.argv[1]
KEY = os.environ.get("BOTHENDS_API_KEY")
HEADERS = {"headers": {"Authorization": f"Bearer {KEY}"}} if KEY else {}
SENTENCES = json.load(sys.stdin)["sentences"]
CUT = "word " * 300 + "end"


def refused(client: Client, model: str, text: str, **options: Any) -> list[Any]:
    """Have the server refuse a request: its status, and its words."""
    try:
        client.embed(model, text, **options)
    except ResponseError as error:
        return [error.status_code, error.error]
    raise AssertionError("it was answered")


def ollama() -> dict[str, Any]:
    """Ask by Ollama's own package."""
    client = Client(URL, **HEADERS)
    shown = client.show("english")
    return {
        "documents": client.embed("english", SENTENCES).embeddings,
        "query": client.embed("english:latest", SENTENCES[0], keep_alive="5m", options={"num_ctx": 512}).embeddings,
        "asyncio": asyncio.run(AsyncClient(URL, **HEADERS).embed("english", SENTENCES)).embeddings,
        "dimensions": client.embed("english", SENTENCES, dimensions=64).embeddings,
        "raw": [client.embeddings("english", sentence).embedding for sentence in SENTENCES],
        "start": client.embed("english", CUT).embeddings,
        "models": [model.model for model in client.list().models],
        "running": [model.model for model in client.ps().models],
        "capabilities": shown.capabilities,
        "context_length": shown.modelinfo["lstm.context_length"],
        "refused": [refused(client, "llama3", "a"), refused(client, "english", CUT, truncate=False)],
    }


def langchain() -> dict[str, Any]:
    """Ask by LangChain's embeddings, which look first whether the model is there."""
    embeddings = OllamaEmbeddings(model="english", base_url=URL, client_kwargs=HEADERS, validate_model_on_init=True)
    return {
        "documents": embeddings.embed_documents(SENTENCES),
        "query": [embeddings.embed_query(SENTENCES[0])],
        "asyncio": asyncio.run(embeddings.aembed_documents(SENTENCES)),
    }


def llama_index() -> dict[str, Any]:
    """Ask by LlamaIndex's embedding."""
    embedding = OllamaEmbedding(model_name="english", base_url=URL, client_kwargs=HEADERS, embed_batch_size=2)
    return {
        "documents": embedding.get_text_embedding_batch(SENTENCES),
        "query": [embedding.get_query_embedding(SENTENCES[0])],
    }


json.dump({"ollama": ollama(), "LangChain": langchain(), "LlamaIndex": llama_index()}, sys.stdout)

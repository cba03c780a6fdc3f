"""Embeddings by clients of text-embeddings-inference, printed as JSON. Arguments: URL, target; sentences on stdin."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import grpc
import httpx
from haystack import Document
from haystack.utils import Secret
from haystack_integrations.components.embedders.huggingface_api import (
    HuggingFaceAPIDocumentEmbedder,
    HuggingFaceAPITextEmbedder,
)
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from langchain_huggingface import HuggingFaceEndpointEmbeddings
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference
from tei_client.clients.grpc_client import GrpcClient
from tei_client.clients.http_client import HttpClient

URL, TARGET = sys.argv[1:]
KEY = os.environ.get("BOTHENDS_API_KEY")
SENTENCES = json.load(sys.stdin)["sentences"]
CUT = "word " * 300 + "end"
HEADERS = {"authorization": f"Bearer {KEY}"} if KEY else {}


def huggingface_hub() -> dict[str, Any]:
    """Ask by the client that others stand on; it asks at the base URL itself."""
    client, suspended = InferenceClient(URL, token=KEY), AsyncInferenceClient(URL, token=KEY)
    try:
        client.feature_extraction(CUT, truncate=False)
    except HfHubHTTPError as error:
        refused = [error.response.status_code, error.response.json()]
    return {
        "documents": client.feature_extraction(SENTENCES).tolist(),
        "query": client.feature_extraction(SENTENCES[0]).tolist(),
        "asyncio": asyncio.run(suspended.feature_extraction(SENTENCES)).tolist(),
        "raw": client.feature_extraction(SENTENCES, normalize=False).tolist(),
        "dimensions": client.feature_extraction(SENTENCES, dimensions=64).tolist(),
        "end": client.feature_extraction(CUT, truncate=True, truncation_direction="left").tolist(),
        "similarity": client.sentence_similarity(SENTENCES[0], SENTENCES[1:]),
        "refused": refused,
    }


def llama_index() -> dict[str, Any]:
    """Ask by LlamaIndex's embedding."""
    embedding = TextEmbeddingsInference(model_name="english", base_url=URL, auth_token=KEY, embed_batch_size=2)
    return {
        "documents": embedding.get_text_embedding_batch(SENTENCES),
        "query": [embedding.get_query_embedding(SENTENCES[0])],
        "asyncio": asyncio.run(embedding.aget_text_embedding_batch(SENTENCES)),
    }


def haystack(place: str, **options: Any) -> dict[str, Any]:
    """Ask by Haystack's embedders, over HTTP or gRPC."""
    given = {
        "api_type": "text_embeddings_inference",
        "api_params": {"url": place},
        "token": Secret.from_token(KEY) if KEY else None,
        "normalize": True,
        **options,
    }
    documents = [Document(content=sentence) for sentence in SENTENCES]
    found = HuggingFaceAPIDocumentEmbedder(progress_bar=False, **given).run(documents)["documents"]
    return {
        "documents": [document.embedding for document in found],
        "query": [HuggingFaceAPITextEmbedder(**given).run(SENTENCES[0])["embedding"]],
    }


def langchain() -> dict[str, Any]:
    """Ask by LangChain's embeddings, whose client is exchanged: they take no URL themselves."""
    embeddings = HuggingFaceEndpointEmbeddings(model="english")
    embeddings.client = InferenceClient(URL, token=KEY)
    return {"documents": embeddings.embed_documents(SENTENCES), "query": [embeddings.embed_query(SENTENCES[0])]}


def milvus() -> dict[str, Any]:
    """Ask as Milvus' embedding function does, which is written in Go."""
    body = {"inputs": SENTENCES, "truncate": True, "truncation_direction": "Right"}
    answer = httpx.post(f"{URL}/embed", json=body, headers=HEADERS)
    return {"documents": answer.json()}


def over_http() -> dict[str, Any]:
    """Ask by tei-client."""
    client = HttpClient(URL, headers=HEADERS)
    tokens = client.tokenize(SENTENCES[0])
    return {
        "documents": client.embed(SENTENCES),
        "asyncio": asyncio.run(client.async_embed(SENTENCES)),
        "model": client.info().server_model_id,
        "tokens": [token.text for token in tokens[0].tokens],
        "health": client.health(),
    }


def over_grpc() -> dict[str, Any]:
    """Ask by tei-client, which embeds by a stream; it knows no keys but those of its channel."""
    asyncio.set_event_loop(asyncio.new_event_loop())  # which it takes for there, and closes its channel with
    client = GrpcClient(TARGET)
    try:
        client.embed(["fine", CUT])
    except grpc.RpcError as error:
        refused = [error.code().name, error.details()]
    return {
        "documents": [list(row) for row in client.embed(SENTENCES)],
        "model": client.info().server_model_id,
        "tokens": [token.text for token in client.tokenize(SENTENCES[0])[0].tokens],
        "refused": refused,
    }


ASKED: dict[str, Callable[[], dict[str, Any]]] = {
    "huggingface_hub": huggingface_hub,
    "LlamaIndex": llama_index,
    "Haystack": lambda: haystack(URL),
    "Haystack, gRPC": lambda: haystack(TARGET, use_grpc=True),
    "LangChain": langchain,
    "Milvus": milvus,
    "tei-client": over_http,
    **({} if KEY else {"tei-client, gRPC": over_grpc}),
}
json.dump({name: ask() for name, ask in ASKED.items()}, sys.stdout)

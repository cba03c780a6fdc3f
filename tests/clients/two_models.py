"""Embeddings of two models, english and old, by clients of Ollama and of text-embeddings-inference, as JSON.

Arguments: URL, target; sentences on stdin.
"""

import json
import sys

from haystack_integrations.components.embedders.huggingface_api import HuggingFaceAPITextEmbedder
from huggingface_hub import InferenceClient
from langchain_ollama import OllamaEmbeddings
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference
from ollama import Client

URL, TARGET = sys.argv[1:]
SENTENCES = json.load(sys.stdin)["sentences"]

ollama = Client(URL)
named = {
    name: {
        "ollama": ollama.embed(name, SENTENCES).embeddings,
        "ollama, as tagged": ollama.embed(f"{name}:latest", SENTENCES).embeddings,
        "LangChain": OllamaEmbeddings(model=name, base_url=URL, validate_model_on_init=True).embed_documents(SENTENCES),
        "LlamaIndex": OllamaEmbedding(model_name=name, base_url=URL).get_text_embedding_batch(SENTENCES),
    }
    for name in ("english", "old")
}
haystack = HuggingFaceAPITextEmbedder(
    api_type="text_embeddings_inference", api_params={"url": TARGET}, normalize=True, use_grpc=True
)
unnamed = {
    "huggingface_hub": InferenceClient(URL).feature_extraction(SENTENCES).tolist(),
    "LlamaIndex": TextEmbeddingsInference(model_name="old", base_url=URL).get_text_embedding_batch(SENTENCES),
    "Haystack, gRPC": [haystack.run(sentence)["embedding"] for sentence in SENTENCES],
}
listed = [model.model for model in ollama.list().models]
json.dump({"named": named, "unnamed": unnamed, "listed": listed}, sys.stdout)

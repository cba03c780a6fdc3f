"""Embeddings by LlamaIndex's OpenAILikeEmbedding, printed as JSON. Arguments: URL; sentences on stdin."""

import asyncio
import json
import os
import sys

from llama_index.embeddings.openai_like import OpenAILikeEmbedding

SENTENCES = json.load(sys.stdin)["sentences"]
SERVER = {"api_base": sys.argv[1], "api_key": os.environ.get("BOTHENDS_API_KEY", "any")}

embedding = OpenAILikeEmbedding(model_name="english", embed_batch_size=2, **SERVER)
short = OpenAILikeEmbedding(model_name="english", dimensions=64, **SERVER)
cutting = OpenAILikeEmbedding(model_name="english", additional_kwargs={"extra_body": {"truncation": "end"}}, **SERVER)
json.dump(
    {
        "documents": embedding.get_text_embedding_batch(SENTENCES),
        "query": [embedding.get_query_embedding(SENTENCES[0])],
        "asyncio": asyncio.run(embedding.aget_text_embedding_batch(SENTENCES)),
        "dimensions": short.get_text_embedding_batch(SENTENCES),
        "end": [cutting.get_text_embedding("word " * 300 + "end")],
    },
    sys.stdout,
)

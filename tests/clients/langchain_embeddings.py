"""Embeddings by LangChain's OpenAIEmbeddings, printed as JSON. Arguments: URL; sentences on stdin."""

import asyncio
import json
import os
import sys

from langchain_openai import OpenAIEmbeddings

SENTENCES = json.load(sys.stdin)["sentences"]
SERVER = {"base_url": sys.argv[1], "api_key": os.environ.get("BOTHENDS_API_KEY", "any")}

embeddings = OpenAIEmbeddings(model="english", check_embedding_ctx_length=False, chunk_size=2, **SERVER)
short = OpenAIEmbeddings(model="english", check_embedding_ctx_length=False, dimensions=64, **SERVER)
cutting = OpenAIEmbeddings(
    model="english",
    check_embedding_ctx_length=False,
    model_kwargs={"extra_body": {"truncation": "end"}},
    **SERVER,
)
json.dump(
    {
        "documents": embeddings.embed_documents(SENTENCES),
        "query": [embeddings.embed_query(SENTENCES[0])],
        "asyncio": asyncio.run(embeddings.aembed_documents(SENTENCES)),
        "dimensions": short.embed_documents(SENTENCES),
        "end": [cutting.embed_query("word " * 300 + "end")],
    },
    sys.stdout,
)

"""What callers speak: each room turns one protocol's requests into queries, and embeddings into its answers.

None of them embeds, queues, or knows another: what surrounds calls is dispatch.py, what answers them responder.py.
"""

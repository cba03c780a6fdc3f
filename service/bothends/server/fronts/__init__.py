"""Fronts, one for each protocol: its requests to queries, and embeddings to its answers.

None of them embeds, queues, or knows another: dispatch.py surrounds their calls, responder.py answers them.
"""

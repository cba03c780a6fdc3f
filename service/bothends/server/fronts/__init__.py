"""Fronts, one for each protocol, which parse its requests and write its answers.

None of them embeds, queues, or knows another: dispatch.py surrounds their calls, responder.py answers them.
"""

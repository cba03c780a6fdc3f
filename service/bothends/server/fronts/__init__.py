"""Fronts, one for each protocol, which parse its requests and write its answers.

None of them embeds, queues, or knows another: dispatch.py surrounds their calls, responder.py answers them. Each is a
folder with a record of it, and a line here.
"""

from . import bothends, kserve, ollama, openai, page, tei
from .front import Front

FRONTS: tuple[Front, ...] = (
    bothends.FRONT,
    kserve.FRONT,
    openai.FRONT,  # its words are also for all that is no front's: it is the first with an API over HTTP
    page.FRONT,  # GET / is its, before all else there is the next one's
    tei.FRONT,
    ollama.FRONT,
)
"""All fronts. Where several answer at one path, the first does."""

"""Fronts, one package for each API, which parse requests and write answers.

No front embeds, queues, or imports another: dispatch.py handles what all calls have in common, and responder.py embeds
for them. A front is a package with a `Front` record, and a line in the list below.
"""

from . import bothends, kserve, ollama, openai, page, tei
from .front import Front

FRONTS: tuple[Front, ...] = (
    bothends.FRONT,
    openai.FRONT,  # its words are also for all that is no front's: it is the first with an API over HTTP
    page.FRONT,  # GET / is its, before all else there is the next one's
    tei.FRONT,
    ollama.FRONT,
    kserve.FRONT,
)
"""All fronts. Where several answer at one path, the first does."""

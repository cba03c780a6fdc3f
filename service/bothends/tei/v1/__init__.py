"""Version 1. A process that has other Python messages of the same API, say tei-client's, can't load these."""

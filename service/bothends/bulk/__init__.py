"""Embeds files of sentences into files of vectors for `bothends embed`; a run that was killed can be gone on with.

source → readers → rows → run → engines → run → writers → sinks
(bytes)  (rows)   (windows)   (vectors)         (bytes)   (files, with a journal beside them)
"""

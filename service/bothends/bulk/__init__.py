"""Embeds files of sentences into files of vectors for `bothends embed`. A killed run can be resumed.

source → readers → rows → run → engines → run → writers → sinks
(bytes)  (rows)   (windows)   (vectors)         (bytes)   (files, with a journal beside them)
"""

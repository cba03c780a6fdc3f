"""Files of sentences to files of vectors, for `bothends embed`; a run that is killed at any moment can be gone on with.

source → readers → rows → run → engines → run → writers → sinks
(bytes)  (rows)   (windows)   (vectors)         (bytes)   (files, with a journal beside them)

Knows no flags.
"""

"""`bothends embed`: files of sentences to files of vectors, to be gone on with after a kill at any moment.

source → readers → rows → run → engines → run → writers → sinks
(bytes)  (rows)   (windows)   (vectors)         (bytes)   (files, with a journal beside them)
"""

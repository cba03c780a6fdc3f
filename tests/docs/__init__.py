"""Tests of the documents: their commands and programs are run as they stand there, and their lists are complete."""

"""Collects documents for a corpus from Debian's packages: titles and passages, one document a line of a text file.

It knows formats (HTML manuals, dictd's dictionaries, descriptions of packages), and neither teachers nor students.
"""

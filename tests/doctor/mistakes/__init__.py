"""Mistakes that doctor knows: each is found, and where nothing is wrong none is."""

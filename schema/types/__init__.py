"""Nouns of the graph, one file each."""

"""The edges to other frameworks: one file each, and none is loaded before it is used."""

"""Benchmarks: each states a claim, measures it with the peers at their best, and writes a table."""

"""Benchmarks: each prints its figures and their limits."""

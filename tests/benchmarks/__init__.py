"""Benchmarks: each prints the figures that issue 2 limits."""

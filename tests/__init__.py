"""Tests of cavecron: one file a module, beside process tests and benchmarks."""

"""Tests of `cavecron.cli`."""

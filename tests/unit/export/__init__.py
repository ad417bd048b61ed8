"""Tests of `cavecron.export`."""

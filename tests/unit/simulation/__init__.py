"""Tests of `cavecron.simulation`."""

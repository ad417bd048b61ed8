"""Tests of `cavecron.database`."""

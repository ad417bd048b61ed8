"""Tests of `cavecron.status`."""

"""Tests of `cavecron.schedule`."""

"""Tests of `cavecron.scheduler`."""

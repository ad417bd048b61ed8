"""Tests of `cavecron.jobs`."""

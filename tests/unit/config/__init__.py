"""Tests of `cavecron.config`."""

"""Tests of `cavecron.report`."""

"""Tests of `cavecron.mail`."""

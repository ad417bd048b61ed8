"""Tests of `cavecron.appdb`."""

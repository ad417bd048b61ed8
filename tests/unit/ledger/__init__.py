"""Tests of `cavecron.ledger`."""

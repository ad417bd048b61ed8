"""Tests of `cavecron.mail.delivery`."""

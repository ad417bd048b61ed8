"""Tests of `cavecron.mail.smtp`."""

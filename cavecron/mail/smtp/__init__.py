"""SMTP: one connection to a mail server, and what its trouble means."""

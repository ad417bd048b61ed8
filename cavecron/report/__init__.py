"""The weekly report: what it says of one user, and how a mail says it. Pure."""

"""The weekly report of one user: its contents, and its mail. Pure."""

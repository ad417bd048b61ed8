"""Integration tests: several modules together, on real databases and mail servers."""

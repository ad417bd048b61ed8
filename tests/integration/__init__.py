"""Several parts at once, on real databases and mail servers."""

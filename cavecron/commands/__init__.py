"""One command a file: each has a `main` that returns the exit code."""

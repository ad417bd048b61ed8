"""The command line: one command a file, each with a `main` that returns the exit code."""

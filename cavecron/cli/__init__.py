"""The command line: one module for each command, with a `main` that returns the exit code."""

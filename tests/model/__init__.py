"""A model of the promises, and a simulated world that tries to break them; `python -m tests.model SEED`."""

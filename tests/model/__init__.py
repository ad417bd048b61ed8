"""A model of the promises, and simulated worlds that try to break them; `python -m tests.model SEED`."""

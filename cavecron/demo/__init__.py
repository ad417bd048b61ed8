"""The demonstration: an invented household, so that cavecron can be tried without a real cellar.

Only `cli/demo.py` and the tests use it.
"""

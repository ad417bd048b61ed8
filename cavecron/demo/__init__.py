"""The demonstration: an invented household, so that cavecron can be tried without a real cellar.

Nothing outside this package and `commands/demo.py` may depend on it, save the tests.
"""

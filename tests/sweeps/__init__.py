"""Comparisons too long for the test suite, which runs a sample of each."""

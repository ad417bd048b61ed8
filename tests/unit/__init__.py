"""Unit tests, in the same folders as the package: one file or a few for each module."""

"""Stands before the package tzdata on the path of modules, and cannot be imported."""

raise ImportError("no package tzdata here")

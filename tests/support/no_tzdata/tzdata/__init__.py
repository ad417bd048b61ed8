"""A module that hides the package tzdata, and cannot be imported."""

raise ImportError("no package tzdata here")

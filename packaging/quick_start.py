"""Run by the folder program before it begins: modules are files there, and imports leave no garbage."""

import gc
import sys

# Python's own importer finds files faster than that of PyInstaller, which searches an archive first.
sys.path_hooks[:] = [hook for hook in sys.path_hooks if not hook.__module__.startswith("pyimod")]
sys.path_importer_cache.clear()
# The folder with most modules comes first; the archive that PyInstaller names does not exist.
sys.path[:] = [folder for folder in reversed(sys.path) if not folder.endswith(".zip")]
# With the default of 2,000 new objects, garbage collection would run dozens of times during imports.
gc.set_threshold(50_000)

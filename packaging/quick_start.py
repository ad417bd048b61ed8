"""Run by the folder program before it begins: modules are files there, and imports leave no garbage."""

import gc
import sys

# Python's own importer finds files faster than PyInstaller's, which looks into an archive first.
sys.path_hooks[:] = [hook for hook in sys.path_hooks if not hook.__module__.startswith("pyimod")]
sys.path_importer_cache.clear()
# Most modules lie in the first folder to be looked into; the archive that PyInstaller names is not there.
sys.path[:] = [folder for folder in reversed(sys.path) if not folder.endswith(".zip")]
# The default of 2,000 new objects has the collector run dozens of times while modules are loaded.
gc.set_threshold(50_000)

"""cavecron as people start it: real processes, real signals."""

"""Tests of cavecron as people start it, with real processes and real signals."""

"""Tests of the image, built and run on this machine from local replacements of its base images."""

"""A mail server on loopback that does at each step what it is told to."""

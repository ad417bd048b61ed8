"""A mail server on loopback whose faults at each step a test chooses."""

"""The scheduler on a simulated machine: what would become of each slot."""

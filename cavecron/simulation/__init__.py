"""The real scheduler on a machine with a simulated clock, to predict the outcome of each slot."""

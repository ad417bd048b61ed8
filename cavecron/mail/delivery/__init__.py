"""Delivering many messages over a few connections."""

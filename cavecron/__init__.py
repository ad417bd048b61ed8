"""cavecron: the scheduler of Cave à Vin.

What a job of one's own needs is imported from here; it is resolved on first use, so that a short
command does not pay for what it never touches.
"""

__version__ = "0.1.0"

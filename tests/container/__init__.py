"""The image, built and run on this machine from local stand-ins of its bases."""

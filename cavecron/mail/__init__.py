"""Mail: from a message to its delivery."""

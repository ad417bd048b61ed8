"""Mail: from a report to a delivered message."""

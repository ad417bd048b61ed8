"""What several tests need: databases, mail servers, processes, clocks."""

"""What tests start from: databases, mail servers, processes, clocks."""

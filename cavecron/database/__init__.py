"""Any SQLite file: opening it, its times, its permissions."""

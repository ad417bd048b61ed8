"""Any SQLite file, whoever owns it: opening it, its times, its permissions."""

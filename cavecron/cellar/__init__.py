"""Cave à Vin’s database; nothing outside this folder knows its tables."""

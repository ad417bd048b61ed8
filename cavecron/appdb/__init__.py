"""Cave à Vin's tables in its database; nothing outside this folder knows them."""

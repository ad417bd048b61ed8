"""cavecron's own tables in the application's file: what became of each slot, run and mail."""

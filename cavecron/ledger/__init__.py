"""cavecron's own tables in the application's file: the state of each slot, run and mail."""

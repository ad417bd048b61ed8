"""The scheduler: it claims slots and executes their runs on time, until it is stopped."""

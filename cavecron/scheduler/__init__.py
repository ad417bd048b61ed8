"""The scheduler: slots claimed and run on time, until it is stopped."""

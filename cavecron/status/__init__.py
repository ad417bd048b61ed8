"""The state of the scheduler, its jobs and their mails, collected once and shown in several formats."""

"""The studies of the reports: each one command that makes one table or figure."""

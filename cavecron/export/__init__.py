"""Definitions of the jobs for other engines: cavecron is the job, and its ledger makes each slot run once.

Pure: it returns the text of files, and writes none.
"""

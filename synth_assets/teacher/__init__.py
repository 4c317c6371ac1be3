"""The teacher: the one client of language models, its ledger, its budget and the embedded server."""

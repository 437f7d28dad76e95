"""The search: space, ledger, proposer."""

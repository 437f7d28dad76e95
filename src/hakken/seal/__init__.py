"""The sealed test set: what was frozen, who was opened and when, and that both are what they were."""

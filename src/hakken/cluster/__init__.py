"""What jobs ask a scheduler for, what its queues allow, and whether the one fits the other."""

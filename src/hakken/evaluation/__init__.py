"""Numbers in, numbers out: FROC, ROC, bootstrap."""

"""From batch to loss and from case to result, for each kind of task."""

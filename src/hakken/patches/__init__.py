"""Where patches are taken and the shards they are kept in."""

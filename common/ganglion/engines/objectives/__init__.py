"""Which losses on which outputs: one file a method."""

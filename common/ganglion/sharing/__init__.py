"""Everything about bundle zips: pack them, look into them without running anything, unpack them."""

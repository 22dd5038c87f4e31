"""Which studies of a medium are wanted, and the pictures by which people tell."""

"""Training of blocks of networks."""

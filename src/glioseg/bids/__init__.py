"""A BIDS data set on one side, BIDS derivatives on the other."""

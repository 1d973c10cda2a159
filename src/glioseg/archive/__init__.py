"""Archives of scans that are reached over the network."""

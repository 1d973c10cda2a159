"""What a careful data manager would look for: structure, content, labels, and the set as a whole."""

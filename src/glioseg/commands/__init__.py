"""What each command does, as a Python call; the command line only parses and prints."""

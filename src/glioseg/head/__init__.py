"""What an image of a head shows without any network: where the head ends, where the brain lies."""

FOREGROUND_THRESHOLD = 10.0
"""FLAIR above this belongs to the head, of intensities between 0 and 255."""

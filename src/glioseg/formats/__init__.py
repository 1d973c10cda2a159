"""Readers and writers: a file format on one side, a Volume or a Mask on the other."""

"""A trained network in use: the bundle, preprocessing, prediction, post-processing."""

"""Segmentation of lower-grade glioma on MRI: train, compare and use three networks."""

# Told here rather than asked of the installation, which takes a tenth of the time of a short answer.
__version__ = "0.1.0"

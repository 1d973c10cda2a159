"""Segmentation of lower-grade glioma on MRI: train, compare and use three networks."""

from importlib.metadata import version

__version__ = version("glioseg")

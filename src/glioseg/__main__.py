"""``python -m glioseg`` is the same command as ``glioseg``."""

from glioseg.cli import main

main()

"""Damaged files of every format that is read: the program answers or refuses in time, whatever is in them.

``make fuzz`` runs it; ``CASES=20000 SEED=1`` say how many files and which. A case is told by seed and number alone, so
that ``python -m fuzz --seed 1 --only 734 --keep FOLDER`` makes the same file again.
"""

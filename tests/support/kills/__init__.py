"""Commands that are killed at random moments: no half file, no lost result, and reruns that end as undisturbed ones.

``make kills`` runs it; ``KILLS=200 SEED=1`` say how often and when. A case is told by seed and number, and
``python -m kills --seed 1 --only 34`` kills the same command at the same share of the time that it takes.
"""

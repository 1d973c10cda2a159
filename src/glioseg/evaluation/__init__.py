"""Scores of masks against the truth and their statistics, by patient."""

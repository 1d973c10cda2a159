"""Patients to predict, from whichever format, and results that go back into it."""

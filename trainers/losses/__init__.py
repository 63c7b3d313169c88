"""Losses: their names and settings in `spec.py`, what training minimises in `objective.py`."""

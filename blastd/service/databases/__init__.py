"""Databases as users see them: the catalogue, what makes new ones, and what is said while they are read."""

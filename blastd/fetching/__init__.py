"""Fetching databases: what sources offer, files that come whole or not at all, archives that can't do harm."""

"""Accepting a search: from what was asked to a row in the store, with every fault told before."""

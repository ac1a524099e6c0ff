"""Use cases of watches: keeping them, and running them when their databases change."""

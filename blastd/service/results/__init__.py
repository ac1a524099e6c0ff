"""Reading what a search found: files in every format, pages of hits and queries, alignments."""

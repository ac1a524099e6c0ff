"""NCBI's taxonomy on the disk: names, ranks and tree of all taxa, and which of them each database holds."""

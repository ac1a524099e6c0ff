"""blastd: a self-hosted BLAST service, one asyncio process around real NCBI BLAST+."""

__version__ = "0.1.0"

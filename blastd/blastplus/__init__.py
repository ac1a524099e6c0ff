"""The NCBI BLAST+ command line applications: how they are called, what their exit codes and files mean."""

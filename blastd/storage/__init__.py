"""Where queries, databases and results of cluster searches lie between this machine and the pods: an account of blobs, or a volume."""

"""The engine that runs a job's units as one Indexed Job on a Kubernetes cluster, with Azure Blob Storage between."""

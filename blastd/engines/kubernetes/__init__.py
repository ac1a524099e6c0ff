"""The engine on Kubernetes and Azure Blob Storage; `opening.open_kubernetes` gives it."""

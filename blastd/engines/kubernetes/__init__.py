"""The engine on Kubernetes and Azure Blob Storage; `engine.open_kubernetes` gives it."""

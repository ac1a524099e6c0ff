"""The engine on Kubernetes; `opening.open_kubernetes` gives it."""

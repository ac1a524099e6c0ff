"""The parts of an engine on Kubernetes: client, watches, manifests, diagnosis.

No engine is made of them yet, and the pod's program (`podrunner.py`) is not written: the daemon refuses to start with
`kubernetes.enabled`.
"""

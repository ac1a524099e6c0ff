"""What runs units: on this machine, or on Kubernetes. Everybody but the daemon sees only `core.engine`."""

"""A small Kubernetes API server in this process, with simulated controllers."""

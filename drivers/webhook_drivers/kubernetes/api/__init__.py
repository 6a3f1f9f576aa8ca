"""The Kubernetes API as drivers use it: clusters, calls, rights, and what its errors mean."""

"""One push on one workload: what it changes, how it is remembered there, how far the rollout is."""

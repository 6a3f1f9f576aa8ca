"""What blueGreen and canary share: a second Deployment beside the one that people own."""

"""The controllers of workloads, and the kubelet, each simulated in a few rules."""

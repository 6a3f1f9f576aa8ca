"""HTTP itself: reading requests, and writing answers in the wire format of Rancher 1.6."""

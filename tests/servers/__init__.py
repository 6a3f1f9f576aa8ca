"""Real servers that the tests start: control plane, registry, database."""

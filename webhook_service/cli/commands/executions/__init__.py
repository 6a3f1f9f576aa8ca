"""Commands about executions: what ran, what runs, and what was before."""

"""What was decided and done: deliveries, executions, approvals, and the ways to do it again."""

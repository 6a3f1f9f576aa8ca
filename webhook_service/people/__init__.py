"""What people do about executions: replay, cancel, approve, roll back."""

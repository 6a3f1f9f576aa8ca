"""What people do about executions: replay, cancel, abort, approve, roll back."""

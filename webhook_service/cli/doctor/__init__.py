"""What `webhook-service doctor` looks at, a module for each kind."""

"""The kinds of notifications that come with the service, one module each."""

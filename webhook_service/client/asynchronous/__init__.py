"""The client for asynchronous programs, a module for each noun of the API."""

"""The client for synchronous programs, a module for each noun of the API.

Made from ``asynchronous``: change that.
"""

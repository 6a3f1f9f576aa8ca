"""The strategy ``canary``: a growing share of the pods."""

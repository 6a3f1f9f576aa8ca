"""The APIs of hosts that keep repositories: a commit is one call, and nothing is cloned."""

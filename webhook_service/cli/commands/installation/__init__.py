"""Commands that run or tend an installation, on its own machine."""

"""The commands, a module each; what they share is one folder up."""

"""Pages about notifications: the list and the form."""

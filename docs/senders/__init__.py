"""Where to click at each sender: pages of the documentation, which the console shows too."""

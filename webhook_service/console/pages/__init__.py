"""One module for each page: what is asked, what is called, what is shown."""

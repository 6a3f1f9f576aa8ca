"""Several host processes on one address and one database: one command, one parent."""

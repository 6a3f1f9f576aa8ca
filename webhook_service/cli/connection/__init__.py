"""What commands work on: a service elsewhere, or the local database, behind one client."""

"""The schema, revision by revision; a released one is never edited."""

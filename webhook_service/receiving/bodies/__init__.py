"""JSON bodies of what people make: a receiver, an inbox, a notification."""

"""What senders call, in SQL: receivers, inboxes, and the keys in their URLs."""

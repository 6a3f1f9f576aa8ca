"""The one way out to other servers: only public addresses are dialled, bounded in time and size."""

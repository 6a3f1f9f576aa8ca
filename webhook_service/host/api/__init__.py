"""The management API: who may call, and what each path does."""

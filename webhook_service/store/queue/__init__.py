"""Which execution runs next, whose it is meanwhile, and what came of it."""

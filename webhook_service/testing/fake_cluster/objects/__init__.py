"""The objects that the fake cluster keeps, and what the API server makes sure of in them."""

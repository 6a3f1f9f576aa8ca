"""Pushes written to Git: where Argo CD, Flux or a pipeline takes the image from."""

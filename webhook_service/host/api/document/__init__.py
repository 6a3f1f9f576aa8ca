"""What describes the API: OpenAPI, and the schemas of Rancher 1.6."""

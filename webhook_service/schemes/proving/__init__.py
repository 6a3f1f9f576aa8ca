"""What schemes share: secrets, signatures, and the keys and certificates of issuers."""

"""What formats share: how a body is read field by field, and refused in clear words."""

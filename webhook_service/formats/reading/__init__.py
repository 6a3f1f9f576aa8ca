"""What formats share: reading what strangers send, field by field, and refusing it in clear words.
"""

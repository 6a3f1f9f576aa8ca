"""The store: receivers, deliveries and executions in SQL. The only importer of SQLAlchemy.

What belongs here: tables, queries, transactions, sealing. What does not: decisions about a push.
"""

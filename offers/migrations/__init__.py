"""The ledger's schema, one file per step in versions/, run by Alembic through Ledger.migrate().

A step is written by hand, is never changed once released, and can be taken back: upgrade and downgrade are both tested.
"""

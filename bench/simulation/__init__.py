"""Simulation: a registry of a million repositories as rows, and what the statements of every day cost in it.

Nothing is pushed and nothing is stored: rows are made inside PostgreSQL, under our own schema with all its indexes and
triggers. Then each hot unit of work runs as the product makes it, through ``metadata.rows``.
"""

"""Upkeep: what an operator does to a whole registry: copies of everything that can be trusted, and the way back.

``files`` writes what is either whole or not there, ``shelf`` draws the folder of backups, ``backup`` fills it,
``verify`` reads it back, ``restore`` makes a registry of it.
"""

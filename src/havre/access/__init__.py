"""Who is asking, and may they: accounts, passwords, sessions, personal access tokens, bearer tokens, permissions.

``permissions.may`` is the one question every door asks. Rows come through ``ports``; nothing here knows HTTP or SQL.
"""

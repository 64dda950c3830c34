"""Authentication on the wire: the token endpoint, and reading who calls from an Authorization header."""

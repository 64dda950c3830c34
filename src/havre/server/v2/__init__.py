"""The registry API, one thin module per noun: read headers into values, make one call, write headers."""

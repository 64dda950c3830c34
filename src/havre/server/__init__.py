"""The wire: composition root, routes, addresses, errors, and one thin module per noun of the registry API."""

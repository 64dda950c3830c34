"""The pages: what people see in a browser, rendered on the server; small ES modules only add comfort.

A page is a function of a ``Visit`` in ``pages/`` (one module per noun), fills a dataclass of ``contexts``, and is
rendered by a template of the same name. ``routes`` lists all of them with what each demands of the visitor.
"""

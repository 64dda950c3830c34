"""Page functions, one module per noun. Each takes a ``Visit`` whose demands ``dispatch`` has checked, and answers."""

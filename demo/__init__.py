"""The voyage, played: ``make demo`` starts Havre on this machine and sends a real image through it."""

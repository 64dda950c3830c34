"""The rows: one schema on two engines, one small store per noun, all within a unit of work."""

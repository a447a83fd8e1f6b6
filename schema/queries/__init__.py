"""Reading, one file per noun."""

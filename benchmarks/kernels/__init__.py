"""What the table of `benchmarks/table.py` compares, a file for each group."""

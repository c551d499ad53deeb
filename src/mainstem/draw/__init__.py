"""Drawing: charts, tables and pages of HTML that open anywhere, whatever the numbers are of. Torch-free."""

"""Which formulas do the analyses stand on? Arrays in, numbers out."""

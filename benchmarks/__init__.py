"""How fast, how lean, how thrifty? Ratios against a floor or a peer in the same run."""

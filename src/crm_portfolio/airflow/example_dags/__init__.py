"""Which DAGs can be copied? Each module is one; its ``params`` say what to change."""

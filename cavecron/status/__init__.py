"""How things stand: one collection of facts, shown in a terminal, as a page and as metrics."""

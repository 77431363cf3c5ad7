"""How much one source may ask of us, and what happens beyond."""

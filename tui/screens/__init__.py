"""The dashboard's screens and the questions that stand before them."""

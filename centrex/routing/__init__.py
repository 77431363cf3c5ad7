"""Who is ours, and where a request goes next."""

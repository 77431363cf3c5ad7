"""Who watches whom, what they are told, and when (RFC 6665, RFC 3680, RFC 4235)."""

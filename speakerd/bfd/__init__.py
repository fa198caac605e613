"""Whether packets still come through from the other end of a path, known in milliseconds (RFC 5880)."""

"""BGP-4 as octets: messages of routers read without trust, ours written as few and as full as they may be."""

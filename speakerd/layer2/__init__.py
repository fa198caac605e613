"""ARP and NDP: answering for the VIPs this node owns."""

"""Who lives: members of the cluster watch one another by small signed messages on two carriers."""

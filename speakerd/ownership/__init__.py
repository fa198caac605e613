"""Who answers for a VIP on layer 2."""

"""How offers are ranked, as an operator stores it: strategy, floor, and which upgrades go first."""

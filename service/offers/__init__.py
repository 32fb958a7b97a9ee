"""The decision: facts, candidates, rules, arbitration, explanation."""

"""The state since the artifact was trained: what a write changes, and how every worker feels it."""

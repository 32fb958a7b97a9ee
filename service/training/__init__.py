"""``nextoffer train`` and ``nextoffer score``: the commands of the offline side."""

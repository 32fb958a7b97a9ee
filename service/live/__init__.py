"""The state since the artifact was trained (changes applied in memory). Not built yet."""

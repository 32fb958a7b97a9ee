"""What accounts are worth: recency, frequency and money, how often they will buy, what they will spend."""

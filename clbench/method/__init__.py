"""What a strategy is and what it sees."""

"""What the ranks of one run share: parameters, statistics, averages."""

"""What methods with a memory do beside storing: what to keep, old labels anew, a bias between sessions."""

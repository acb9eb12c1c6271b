"""What the terminal shows: tables, progress, costs."""

"""The ground floor that all may use: files written whole, locks, folders of the user."""

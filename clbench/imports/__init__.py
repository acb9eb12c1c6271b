"""What is imported when: packages that a run may never need become real when something touches them."""

"""What jobs share: arguments, exit codes, the closing summary, progress, and one line for any fault."""

"""One file a raw format: the planted world as that format's files."""

"""What a dump tells of: the same films, people and tastes for the same seed, whatever format they are written in."""

"""The words of a dump: invented titles, people, tags and plots, all of which tell the planted genre."""

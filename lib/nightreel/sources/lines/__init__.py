"""Files whose lines are rows: byte ranges as tasks, blocks of whole lines, rejected lines, and where good ones go."""

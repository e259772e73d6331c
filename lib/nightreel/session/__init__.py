"""How Spark starts: the session, Java, Delta's jars, and what is submitted.

Its modules are commands as well (`python -m nightreel.session.java`), so nothing is imported here."""

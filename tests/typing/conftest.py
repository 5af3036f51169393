"""The scripts here are read by type checkers; a test runs what is right."""

collect_ignore = ["user_script.py", "wrong_script.py"]

"""The page that walks through a traced step: plain JavaScript, one file, no network; `write` puts the numbers in."""

"""The page of a history: plain JavaScript, no network."""

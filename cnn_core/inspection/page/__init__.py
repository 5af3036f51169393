"""Pages that walk through a traced step or show a training: plain JavaScript, one file each, no network."""

"""What every other package stands on: arrays, seeds, names as data, files, checks of arguments."""

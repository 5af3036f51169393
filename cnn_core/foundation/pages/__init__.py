"""What every page of ours is: one HTML file with style, scripts and data in it, in English and Chinese."""

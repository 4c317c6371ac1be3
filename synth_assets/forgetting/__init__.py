"""`synth-assets forget`: a source, a seed or a row out of everything that was stored, and where it was released."""

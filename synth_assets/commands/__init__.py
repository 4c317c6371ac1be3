"""The commands of `synth-assets`, one module each; heavy imports wait inside the functions."""

"""The commands of `synth-assets`, one module each: options and printing, no more; what they tell is found elsewhere."""

"""Whether an installation and its state are well: what `synth-assets doctor` says. Every examination reads, and mends nothing."""

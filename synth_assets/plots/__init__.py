"""Small pictures as SVG texts, for places where people would rather look than read: stage metadata and the quality report. Numbers in, text out."""

"""The shapes that cross a border, and how their texts are read; imports nothing of ours."""

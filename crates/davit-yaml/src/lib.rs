//! YAML with places: PyYAML's reading of a file, and its writing.

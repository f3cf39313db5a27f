//! Jinja2 with Python's values: templates, filters, tests, lookups.

"""A study: several networks trained and tested under the same conditions, compared patient by patient."""

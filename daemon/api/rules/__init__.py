"""
The rules of each kind: which fields there are, their defaults, what they may hold, and what excludes what.

Each function reads one Field into a value and reports everything wrong on the way. The rules keep to what a CRD's
schema can say too (types, bounds, patterns, enumerations, comparisons between fields), since the API server must agree;
where it can't, the table in tests/manifests says so.
"""

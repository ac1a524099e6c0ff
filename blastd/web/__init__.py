"""Everything that speaks HTTP: it decodes, calls a service and encodes; what is right is decided below."""

"""GraphQL: types, inputs and fields, one file a capability. A resolver translates; the domain decides."""

package translate

// noBackendTLS is why a BackendTLSPolicy, and a backend that one asks TLS for, isn't served. Plain text would
// reach such a backend otherwise (R17).
const noBackendTLS = "BackendTLSPolicies aren't supported yet; remove the policy to speak cleartext HTTP/2"

// maxAncestors is how many Gateways the status of a policy has room for.
const maxAncestors = 16

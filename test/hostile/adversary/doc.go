// Package adversary is what attacks a gateway: hostile clients, endpoints that answer what no server should, and a tenant
// whose objects are made to harm the others. Tests run it beside a good tenant, and so does the benchmark.
package adversary

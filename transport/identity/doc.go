// Package identity holds the certificates and join tokens by which agents and
// cloud nodes know one another.
//
//	cloud node, first start:  OpenCA(dir) makes ca.key, ca.pem ── Server: a certificate issued from it, renewed by itself
//	leat fleet token:         MintToken ──> "leat1.…" for the user + TokenRecord for the cloud's keys
//	agent, first start:       ParseToken, NewKey, NewCSR ──> join session, CA checked by the token's pin
//	cloud node:               ParseToken, TokenRecord.Redeem(now), CA.IssueAgent(csr, id) ──> chain, CA, id
//	agent:                    Agent.Save(dir); from then on LoadAgent(dir) and mutual TLS 1.3
//
// An agent's id is the URI SAN "leat:agent:ID" of its certificate and nothing
// else. Functions that judge time take it as an argument.
package identity

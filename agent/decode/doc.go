// Package decode turns messages into the typed columns of a plan's source.
//
//	message ── fast scanner ──> columns, row by row          (one pass over the bytes, no allocation)
//	              │ anything it does not cover
//	              v
//	          encoding/json ──> the same columns, or a reject with its reason
//
// # JSON
//
// A message is an object, or an array of objects that gives one row each. The scanner is
// directed by the schema: it knows the columns that the plan uses and steps over
// everything else without looking at more than its syntax. It remembers the order of
// the keys of the row before and compares the next key with the one that stood there;
// only when that fails does it look the key up.
//
// The scanner never rejects. What it does not cover it leaves to the
// library path, which decides and words the reason: escapes in strings, invalid UTF-8, a used key that
// occurs twice (the last one counts, as in encoding/json), values of the wrong type,
// malformed text, nesting beyond the limit. FuzzJSON holds the two paths equal in values and in what they accept.
//
//	column     takes
//	bool       true, false
//	int        a number with an integral value within 64 bits: 12, -3, 12.0, 1e3, but not 12.5
//	double     any number within range, rounded exactly
//	string     a string; invalid UTF-8 becomes U+FFFD
//	bytes      a string of padded standard base64
//	timestamp  RFC 3339 text, or by its unit a number; what is below a microsecond is cut off towards the past
//
// null and a missing key give null. Any other type rejects the whole message, and so does
// text that is not exactly one JSON value.
//
// # CSV
//
// A message is one record. The fields are named by the Header message that the source
// sends before the first record of each file; the newest one counts. A
// header that lacks a used column is reported through reject, and the column is null in
// that file's rows. Fields follow RFC 4180; an empty field, quoted or not, is null. Spaces around a value count
// only in strings. bool takes true, false, 1 and 0 in any case; numbers are decimal.
//
// # Strings
//
// Each string column has one batch.Dict for as long as it is not full; codes are stable until then.
package decode

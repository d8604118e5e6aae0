// Package decode turns messages into the typed columns of a plan's source.
//
//	                        one of json, csv, senml, influx, cbor, raw
//	message ────────────────> format.record ──┬──> columns, row by row
//	run of lines ── line by line ──^          └──> a reject with its reason
//	     └── json: templates, as long as lines are like those before
//
// A format decodes records: a message is one, and so is each line of a run of lines, which
// a file source gives as one Message. It is directed by the schema: it knows the columns that the plan uses and steps over
// everything else without looking at more than its syntax. Batch.Origin finds the record of a row when it is asked for it.
// docs/reference/formats.md says what each format takes.
//
// # JSON
//
//	line ── template ──> columns      (only the values are read)
//	message │ any other form
//	   │    v
//	   └─> scanner ──> columns        (one pass over the bytes, no allocation)
//	        │ anything it does not cover
//	        v
//	    encoding/json ──> columns, or a reject with its reason
//
// A message is an object, or an array of objects that gives one row each. The scanner remembers the order of
// the keys of the row before and compares the next key with the one that stood there;
// only when that fails does it look the key up. In a run of lines a template goes further: it remembers all text between
// the values, and the shape of each value, and compares words (see template and shape).
//
// Templates and the scanner never reject. What they do not cover they leave to the
// library path, which decides and words the reason: escapes in strings, invalid UTF-8, a used key that
// occurs twice (the last one counts, as in encoding/json), values of the wrong type,
// malformed text, nesting beyond the limit. FuzzJSON and FuzzJSONLines hold the paths equal in values and in what they accept.
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
// # The other formats
//
// SenML, the line protocol and CBOR have one path each, which covers all of the format. They find columns by
// names, which predicts as the scanner does, and none of them recurses deeper or gives more rows than Limits allow.
//
// # Strings
//
// Each string column has one batch.Dict for as long as it is not full; codes are stable until then.
package decode

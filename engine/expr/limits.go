package expr

import "github.com/leatio/leat/engine/batch"

// Bounds of one program. Plans come over the wire, so Compile refuses what is
// larger.
const (
	// MaxNodes bounds the nodes of an expression. Each holds one column of a
	// batch's length, so 4,096 rows take at most 8 x 4,096 x MaxNodes bytes.
	MaxNodes = 10_000
	// MaxDepth bounds the nesting of an expression.
	MaxDepth = 1_000
	// MaxString bounds a string that a function makes; a longer one fails its row.
	MaxString = 1 << 20
	// maxBlobLiteral bounds a literal of type bytes.
	maxBlobLiteral = 4096
	// maxMemo bounds the codes of a dictionary that one string function remembers
	// results for (9 bytes each). Codes above it are computed each time.
	maxMemo = 1 << 16
)

// dictWorn tells whether a program should start its next batch with a new
// dictionary. Half of the hard bound, so that a batch has room for new strings.
func dictWorn(d *batch.Dict) bool {
	return d.Len() >= batch.MaxDictEntries/2 || d.SizeBytes() >= batch.MaxDictBytes/2
}

package worker

import (
	"github.com/leatio/leat/cloud/sink"
	"github.com/leatio/leat/engine/batch"
)

// appendRejects turns rows of engine.RejectsSchema into rows of
// sink.RejectsTable.
func appendRejects(dst, src *batch.Batch, pipeline, agent string) {
	text := func(col int, s string) {
		c := &dst.Cols[col]
		if c.Dict == nil {
			c.Dict = batch.NewDict()
		}
		c.Codes = append(c.Codes, c.Dict.CodeString(s))
	}
	each(src, func(i int) {
		dst.Cols[0].Ints = append(dst.Cols[0].Ints, src.Cols[0].Ints[i])
		text(1, pipeline)
		text(2, agent)
		text(3, src.Cols[1].Str(i))
		text(4, src.Cols[2].Str(i))
		text(5, sink.Sample(src.Cols[3].Blob(i)))
		dst.Cols[6].Ints = append(dst.Cols[6].Ints, src.Cols[4].Ints[i])
		dst.N++
	})
}

package file

import "bytes"

// cutter finds the ends of records in data that arrives in pieces. It goes
// on where it stopped when there is more. Where a record ends depends on the bytes
// from its start to the limit, never on the pieces.
type cutter struct {
	csv   bool
	most  int // bytes of a record, without its line feed
	start int // of the record that is not complete yet
	pos   int // data[start:pos] was looked through
	state csvScan
	first int // just behind the first line feed inside the quotes that are open; 0 = none
}

// csvScan is where in an RFC 4180 record the cutter stands.
type csvScan uint8

const (
	fieldStart csvScan = iota
	inField            // without quotes, or malformed: quotes mean nothing there
	inQuotes
	afterQuote // a quote inside quotes: doubled, or the end of the field
)

// verdict is how cutting ended.
type verdict uint8

const (
	needMore verdict = iota
	allCut           // the input ended and its last record is cut
	tooLong          // the record at data[start:] has no end within the limit
)

// cut appends the ends of the complete records of data, or the end of the whole run of
// them where records are lines. last says that no more will come.
func (c *cutter) cut(data []byte, ends []uint32, last bool) ([]uint32, verdict) {
	if c.csv {
		return c.cutCSV(data, ends, last)
	}
	first := c.start
	c.passLines(data)
	v := needMore
	switch rest := len(data) - c.start; {
	case rest > c.most: // its line has no end within the limit
		v = tooLong
	case last:
		c.restart(len(data))
		v = allCut
	}
	if c.start > first {
		ends = append(ends, uint32(c.start))
	}
	return ends, v
}

// passLines moves start over the complete lines that are within the limit.
func (c *cutter) passLines(data []byte) {
	if len(data)-c.start <= c.most { // all are
		if k := bytes.LastIndexByte(data[c.pos:], '\n'); k >= 0 {
			c.restart(c.pos + k + 1)
		}
		c.pos = len(data)
		return
	}
	for {
		k := bytes.IndexByte(data[c.pos:], '\n')
		if k < 0 || c.pos+k-c.start > c.most {
			return
		}
		c.restart(c.pos + k + 1)
	}
}

func (c *cutter) cutCSV(data []byte, ends []uint32, last bool) ([]uint32, verdict) {
	quote := -1 // the first quote at or behind start; -1 = not looked for yet
	for {
		if quote < c.start {
			quote = len(data)
			if k := bytes.IndexByte(data[c.start:], '"'); k >= 0 {
				quote = c.start + k
			}
		}
		end, within := -1, data[:min(len(data), c.start+c.most+1)]
		if c.state != fieldStart || quote < len(data) && !c.lineBefore(data, quote) {
			end = c.quoted(within)
		} else if k := bytes.IndexByte(within[c.pos:], '\n'); k >= 0 {
			end = c.pos + k + 1
		}
		if end < 0 {
			if !last && len(data)-c.start <= c.most {
				return ends, needMore
			}
			switch {
			case c.state == inQuotes && c.first > 0: // the quote stays open: give up its record only
				end = c.first
			case len(data)-c.start > c.most:
				return ends, tooLong
			default:
				if len(data) > c.start {
					ends = append(ends, uint32(len(data)))
				}
				c.restart(len(data))
				return ends, allCut
			}
		}
		ends = append(ends, uint32(end))
		c.restart(end)
	}
}

// lineBefore tells whether the record ends before the quote.
func (c *cutter) lineBefore(data []byte, quote int) bool {
	return bytes.IndexByte(data[c.start:quote], '\n') >= 0
}

// restart begins a record at an index of the data.
func (c *cutter) restart(at int) {
	c.start, c.pos, c.state, c.first = at, at, fieldStart, 0
}

// moved says that data now begins n bytes later.
func (c *cutter) moved(n int) {
	c.start -= n
	c.pos -= n
	if c.first > 0 {
		c.first -= n
	}
}

// quoted looks for the end of a record that has quotes, from pos on; -1 = not there yet.
func (c *cutter) quoted(data []byte) int {
	for i := c.pos; i < len(data); i++ {
		b := data[i]
		switch c.state {
		case inQuotes:
			switch {
			case b == '"':
				c.state = afterQuote
			case b == '\n' && c.first == 0:
				c.first = i + 1
			}
			continue
		case afterQuote:
			if b == '"' {
				c.state = inQuotes
				continue
			}
			c.first = 0
		}
		switch {
		case b == '\n':
			return i + 1
		case b == ',':
			c.state = fieldStart
		case b == '"' && c.state == fieldStart:
			c.state = inQuotes
		default:
			c.state = inField
		}
	}
	c.pos = len(data)
	return -1
}

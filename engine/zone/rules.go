package zone

import "time"

// Rules lists the changes of a location's offset in [from, to), and the offset
// before the first of them, as New takes them.
func Rules(l *time.Location, from, to time.Time) (offset int64, changes []Change) {
	at := from.In(l)
	_, first := at.Zone()
	offset = int64(first)
	for last := offset; ; {
		_, end := at.ZoneBounds()
		if end.IsZero() || !end.Before(to) {
			return offset, changes
		}
		if !end.After(at) { // ZoneBounds may stand still where a year ends
			end = at.Add(time.Hour)
		}
		at = end
		if _, o := at.Zone(); int64(o) != last {
			last = int64(o)
			changes = append(changes, Change{At: at.Unix(), Offset: last})
		}
	}
}

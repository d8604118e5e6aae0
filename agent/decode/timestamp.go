package decode

import "time"

// parseRFC3339 reads a timestamp of RFC 3339, section 5.6, in microseconds;
// digits beyond are cut off. Lower-case t and z and a blank for the T are allowed, as the RFC
// allows; leap seconds are not.
func parseRFC3339(s []byte) (micros int64, ok bool) {
	if len(s) < len("2006-01-02T15:04:05Z") || s[4] != '-' || s[7] != '-' || s[13] != ':' || s[16] != ':' {
		return 0, false
	}
	if t := s[10]; t != 'T' && t != 't' && t != ' ' {
		return 0, false
	}
	century, ok0 := twoDigits(s[0:])
	year, ok1 := twoDigits(s[2:])
	month, ok2 := twoDigits(s[5:])
	day, ok3 := twoDigits(s[8:])
	hour, ok4 := twoDigits(s[11:])
	minute, ok5 := twoDigits(s[14:])
	second, ok6 := twoDigits(s[17:])
	if !ok0 || !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 {
		return 0, false
	}
	year += 100 * century
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	s = s[19:]
	fraction := int64(0)
	if s[0] == '.' {
		digits := 0
		for s = s[1:]; len(s) > 0 && s[0] >= '0' && s[0] <= '9'; s = s[1:] {
			if digits < 6 {
				fraction = 10*fraction + int64(s[0]-'0')
			}
			digits++
		}
		if digits == 0 {
			return 0, false
		}
		for ; digits < 6; digits++ {
			fraction *= 10
		}
	}
	offset, ok := parseOffset(s)
	if !ok {
		return 0, false
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return (t.Unix()-offset)*1e6 + fraction, true
}

// parseOffset reads Z or ±hh:mm in seconds east.
func parseOffset(s []byte) (seconds int64, ok bool) {
	if len(s) == 1 && (s[0] == 'Z' || s[0] == 'z') {
		return 0, true
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	h, ok1 := twoDigits(s[1:])
	m, ok2 := twoDigits(s[4:])
	if !ok1 || !ok2 || h > 23 || m > 59 {
		return 0, false
	}
	seconds = int64(h)*3600 + int64(m)*60
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

func twoDigits(s []byte) (int, bool) {
	a, b := s[0]-'0', s[1]-'0'
	return int(a)*10 + int(b), a <= 9 && b <= 9
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

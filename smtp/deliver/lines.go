package deliver

import (
	"bytes"
	"io"
)

// lineWriter ends every line by CRLF (RFC 5321 2.3.8). A bare LF ends one; a bare CR ends one in the body, and is white
// space in the header, where a new line could begin a new field.
type lineWriter struct {
	w      io.Writer
	cr     bool // a CR is held back
	inBody bool
	line   bool // the current line is not empty
}

var (
	crlf = []byte("\r\n")
	dot  = []byte(".")
)

// Write implements io.Writer.
func (l *lineWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if l.cr {
			l.cr = false
			if rest[0] == '\n' {
				rest = rest[1:]
				if err := l.end(); err != nil {
					return 0, err
				}
				continue
			}
			if err := l.bare(); err != nil {
				return 0, err
			}
		}
		i := bytes.IndexAny(rest, "\r\n")
		if i < 0 {
			i = len(rest)
		}
		if i > 0 {
			l.line = true
			if _, err := l.w.Write(rest[:i]); err != nil {
				return 0, err
			}
		}
		if i == len(rest) {
			break
		}
		l.cr = rest[i] == '\r'
		if !l.cr {
			if err := l.end(); err != nil {
				return 0, err
			}
		}
		rest = rest[i+1:]
	}
	return len(p), nil
}

// end ends a line.
func (l *lineWriter) end() error {
	l.inBody = l.inBody || !l.line
	l.line = false
	_, err := l.w.Write(crlf)
	return err
}

// bare writes what stands for a bare CR.
func (l *lineWriter) bare() error {
	if l.inBody {
		return l.end()
	}
	l.line = true
	_, err := l.w.Write([]byte(" "))
	return err
}

// finish ends the last line.
func (l *lineWriter) finish() error {
	if l.cr {
		l.cr = false
		return l.end()
	}
	if l.line {
		return l.end()
	}
	return nil
}

// dotWriter doubles the dot at the beginning of a line (RFC 5321 4.5.2). Lines end in CRLF.
type dotWriter struct {
	w      io.Writer
	inLine bool
}

// Write implements io.Writer.
func (d *dotWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if !d.inLine && rest[0] == '.' {
			if _, err := d.w.Write(dot); err != nil {
				return 0, err
			}
		}
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line = rest[:i+1]
		}
		if _, err := d.w.Write(line); err != nil {
			return 0, err
		}
		d.inLine = line[len(line)-1] != '\n'
		rest = rest[len(line):]
	}
	return len(p), nil
}

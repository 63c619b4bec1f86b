package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// readFile takes the settings of a TOML file.
func (c *Config) readFile(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return c.readTOML(name, data)
}

// readTOML is readFile over data. Every key must be a setting and every value of its kind; all that are not are named.
func (c *Config) readTOML(name string, data []byte) error {
	var document map[string]any
	if err := toml.Unmarshal(data, &document); err != nil {
		if syntax, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, column := syntax.Position()
			return fmt.Errorf("%s:%d:%d: %s", name, line, column, strings.TrimPrefix(syntax.Error(), "toml: "))
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	known := map[string]setting{}
	for _, s := range c.settings() {
		known[s.key] = s
	}
	values := flatten("", document)
	lines := keyLines(data)
	keys := slices.SortedFunc(maps.Keys(values), func(a, b string) int { return lines[a] - lines[b] })
	var errs []error
	for _, key := range keys {
		source := fmt.Sprintf("%s:%d", name, lines[key])
		s, ok := known[key]
		if !ok {
			errs = append(errs, fmt.Errorf("%s: there is no setting %s; %s", source, key, choices(key, known)))
			continue
		}
		errs = append(errs, c.setTOML(s, values[key], source))
	}
	return errors.Join(errs...)
}

// setTOML sets a value of the type that TOML gave it: strings everywhere, plain numbers for sizes and counts, booleans
// for switches.
func (c *Config) setTOML(s setting, v any, source string) error {
	switch s.value.(type) {
	case *Switch:
		if on, ok := v.(bool); ok {
			return c.set(s, strconv.FormatBool(on), source)
		}
		return wrong(s, source, fmt.Sprintf("%#v", v))
	case *Size, *Volume, *Limit, *Allowance, *Port:
		if n, ok := v.(int64); ok {
			return c.set(s, strconv.FormatInt(n, 10), source)
		}
	}
	if text, ok := v.(string); ok {
		return c.set(s, text, source)
	}
	return wrong(s, source, fmt.Sprint(v))
}

// flatten joins the keys of nested tables with dots. An empty table stays, so that it is looked at.
func flatten(prefix string, table map[string]any) map[string]any {
	flat := map[string]any{}
	for k, v := range table {
		if inner, ok := v.(map[string]any); ok && (len(inner) > 0 || slices.Contains(sections(), prefix+k)) {
			maps.Copy(flat, flatten(prefix+k+".", inner))
		} else {
			flat[prefix+k] = v
		}
	}
	return flat
}

// sections are the tables that settings stand in.
func sections() (names []string) {
	c := Default()
	for _, s := range c.settings() {
		if section, _, ok := strings.Cut(s.key, "."); ok && !slices.Contains(names, section) {
			names = append(names, section)
		}
	}
	return names
}

// choices lists what could stand where an unknown key stands.
func choices(key string, known map[string]setting) string {
	section, _, _ := strings.Cut(key, ".")
	if !slices.Contains(sections(), section) {
		var top []string
		for k := range known {
			if !strings.Contains(k, ".") {
				top = append(top, k)
			}
		}
		slices.Sort(top)
		return "there are " + strings.Join(top, ", ") + ", and the tables [" + strings.Join(sections(), "], [") + "]"
	}
	var inside []string
	for k := range known {
		if name, ok := strings.CutPrefix(k, section+"."); ok {
			inside = append(inside, name)
		}
	}
	slices.Sort(inside)
	return "[" + section + "] has " + strings.Join(inside, ", ")
}

// keyLines finds the line of every key and table of a document that is known to be well-formed.
func keyLines(data []byte) map[string]int {
	lines := map[string]int{}
	var p unstable.Parser
	p.Reset(data)
	prefix := ""
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			key := noteKey(&p, lines, "", e.Key())
			prefix = key + "."
		case unstable.KeyValue:
			noteKeyValue(&p, lines, prefix, e)
		}
	}
	return lines
}

func noteKeyValue(p *unstable.Parser, lines map[string]int, prefix string, n *unstable.Node) {
	key := noteKey(p, lines, prefix, n.Key())
	if v := n.Value(); v.Kind == unstable.InlineTable {
		for it := v.Children(); it.Next(); {
			noteKeyValue(p, lines, key+".", it.Node())
		}
	}
}

func noteKey(p *unstable.Parser, lines map[string]int, prefix string, parts unstable.Iterator) string {
	key := prefix
	line := 0
	for parts.Next() {
		if line != 0 {
			key += "."
		}
		key += string(parts.Node().Data)
		line = p.Shape(parts.Node().Raw).Start.Line
	}
	if lines[key] == 0 {
		lines[key] = line
	}
	return key
}

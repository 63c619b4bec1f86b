package server

import (
	"io"
	"strconv"
)

var adjectives = [...]string{"amber", "brave", "bright", "calm", "clever", "cosmic", "crisp", "dapper", "eager", "early", "fair", "fleet", "gentle",
	"glad", "golden", "grand", "happy", "honest", "jolly", "keen", "kind", "lively", "lucky", "mellow", "merry", "mighty", "neat", "noble", "plain",
	"polite", "proud", "quick", "quiet", "rapid", "ready", "royal", "sharp", "shiny", "silent", "silver", "smart", "smooth", "snowy", "solid",
	"sunny", "super", "sweet", "swift", "tidy", "true", "vivid", "warm", "wise", "witty"}

var nouns = [...]string{"acorn", "anchor", "apple", "arrow", "badger", "beacon", "birch", "brook", "canyon", "cedar", "cloud", "comet", "coral",
	"crane", "creek", "dawn", "delta", "dune", "eagle", "ember", "falcon", "fern", "field", "finch", "forest", "garden", "glade", "harbor", "hazel",
	"heron", "hill", "island", "lake", "lantern", "maple", "meadow", "moon", "oak", "ocean", "otter", "pebble", "pine", "planet", "poppy", "river",
	"robin", "sparrow", "spruce", "star", "stone", "summit", "tiger", "valley", "willow"}

// generateUsername makes a readable username, such as quietharbor421. Later tries have more digits.
func (s *Server) generateUsername(try int) (string, error) {
	b := make([]byte, 8)
	if _, err := io.ReadFull(s.random, b); err != nil {
		return "", err
	}
	digits := 1000
	for range min(try, 5) {
		digits *= 10
	}
	number := (int(b[2])<<16 | int(b[3])<<8 | int(b[4])) % digits
	return adjectives[int(b[0])%len(adjectives)] + nouns[int(b[1])%len(nouns)] + strconv.Itoa(number), nil
}

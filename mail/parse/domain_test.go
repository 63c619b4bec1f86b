package parse

import "testing"

func TestDomain(t *testing.T) {
	for s, want := range map[string]string{
		"Bank.Example.":        "bank.example",
		"bank。example｡":        "bank.example",
		"BÄNK.example":         "xn--bnk-qla.example",
		"ｂank.example":         "bank.example",
		"ba\u200bnk.example":   "bank.example",
		"a_b.bänk.example":     "a_b.xn--bnk-qla.example",
		"-x.Bänk.example":      "-x.xn--bnk-qla.example",
		"xn--a.bank.example":   "xn--a.bank.example",
		"..bank.example":       "..bank.example",
		"*.bank.example":       "*.bank.example",
		"[192.0.2.1]":          "[192.0.2.1]",
		"\U000e0001.b.EXAMPLE": "\U000e0001.b.example",
		"":                     "",
	} {
		if got := Domain(s); got != want {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
	}
}

package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"podmail/mail"
	"podmail/mail/parse"
	"podmail/mail/spam"
	"podmail/storage"
)

const (
	lessonBatch  = 20
	spamText     = 256 << 10 // bytes of a message that are looked at
	rareInterval = 500       // lessons after which words seen once are forgotten
)

// teach notes what people say of a message that came in: what they put into Spam is spam; what they take out of it, and
// not into the trash, is not, nor is what they answer, star or archive.
func (e *edit) teach(m *mail.Message, added, removed []string) error {
	if !slices.Contains(m.Labels, mail.LabelReceived) {
		return nil
	}
	has := func(labels []string, any ...string) bool {
		return slices.ContainsFunc(any, func(l string) bool { return slices.Contains(labels, l) })
	}
	switch {
	case has(added, mail.LabelSpam):
		return e.tx.InsertLesson(m.ID, true)
	case has(m.Labels, mail.LabelSpam, mail.LabelTrash, mail.LabelBlocked, mail.LabelUnauthenticated):
		return nil
	case has(removed, mail.LabelSpam, mail.LabelUnauthenticated):
		return e.tx.InsertLesson(m.ID, false)
	case has(added, mail.LabelReplied, mail.LabelStarred, mail.LabelArchive):
		if taught, err := e.tx.WasTaught(m.ID); err != nil || taught {
			return err
		}
		return e.tx.InsertLesson(m.ID, false)
	}
	return nil
}

// LearnSpam learns from what people said of messages. It is a step of Run.
func (s *Server) LearnSpam(ctx context.Context) (more bool, err error) {
	var jobs []storage.Job
	err = s.store.System().Read(ctx, func(tx storage.SystemTx) (err error) {
		jobs, err = tx.ListLessons(lessonBatch)
		return err
	})
	for _, job := range jobs {
		if err := s.learn(ctx, job); err != nil {
			return false, fmt.Errorf("message %d: %w", job.ID, err)
		}
	}
	return len(jobs) == lessonBatch, err
}

// learn counts a message's words as those of what it was said to be, and no longer as those of what it was learned as.
func (s *Server) learn(ctx context.Context, job storage.Job) error {
	h := s.store.For(job.Scope)
	var m mail.Message
	var raw storage.RawMessage
	err := h.Read(ctx, func(tx storage.Tx) (err error) {
		if m, err = tx.FindMessageByID(job.ID); err != nil {
			return err
		}
		raw, err = tx.FindRaw(job.ID)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil // deleted meanwhile
	} else if err != nil {
		return err
	}
	tokens, err := spamTokens(&m.Envelope, io.NewSectionReader(h.Reader(ctx, raw), 0, raw.Size))
	if err != nil {
		return err
	}
	counted := append(slices.Sorted(maps.Keys(tokens)), spam.Messages)
	var all spam.Count
	err = s.store.System().Unhurried().Write(ctx, func(sys storage.SystemTx) (err error) {
		pod := sys.For(mail.Scope{Pod: job.Scope.Pod})
		if err := learnIn(sys.For(job.Scope), pod, job.ID, counted); err != nil {
			return err
		}
		all, err = countLearned(pod)
		return err
	})
	if err == nil {
		s.taught.Store(job.Scope.Pod, all)
	}
	return err
}

// countLearned counts the messages that a pod has learned from.
func countLearned(pod storage.Tx) (all spam.Count, err error) {
	found, err := pod.FindTokens([]int64{spam.Messages})
	for _, t := range found {
		all = spam.Count{Spam: t.Spam, Ham: t.Ham}
	}
	return all, err
}

// learnIn writes what is learned of a message, in its inbox's handle and its pod's.
func learnIn(tx, pod storage.Tx, message int64, tokens []int64) error {
	l, err := tx.FindLesson(message)
	if errors.Is(err, storage.ErrNotFound) || err == nil && l.Learned && l.LearnedSpam == l.Spam {
		return nil
	} else if err != nil {
		return err
	}
	asSpam, asHam := change(l.Spam, 1)
	if l.Learned {
		lessSpam, lessHam := change(l.LearnedSpam, -1)
		asSpam, asHam = asSpam+lessSpam, asHam+lessHam
	}
	if err := pod.CountTokens(tokens, asSpam, asHam); err != nil {
		return err
	}
	all, err := countLearned(pod)
	if err == nil && (all.Spam+all.Ham)%rareInterval == 0 {
		err = pod.ForgetRareTokens()
	}
	if err != nil {
		return err
	}
	return tx.LessonLearned(message)
}

// change is a change of the counts of spam and of ham.
func change(isSpam bool, by int) (asSpam, asHam int) {
	if isSpam {
		return by, 0
	}
	return 0, by
}

func spamTokens(e *mail.Envelope, raw io.Reader) (map[int64]string, error) {
	text, err := parse.SearchText(io.LimitReader(raw, spamText))
	return spam.Tokens(e, text), err
}

// learnedIn is how many messages a pod has learned from. It is remembered: most pods have learned from none.
func (s *Server) learnedIn(ctx context.Context, pod int64) (all spam.Count, err error) {
	if known, ok := s.taught.Load(pod); ok {
		return known.(spam.Count), nil
	}
	err = s.store.For(mail.Scope{Pod: pod}).Read(ctx, func(tx storage.Tx) (err error) {
		all, err = countLearned(tx)
		return err
	})
	if err != nil {
		return all, err
	}
	known, _ := s.taught.LoadOrStore(pod, all) // what was learned meanwhile is newer
	return known.(spam.Count), nil
}

// scoreSpam asks the filter of a pod about a message; nil if it was not taught enough.
func (s *Server) scoreSpam(ctx context.Context, pod int64, e *mail.Envelope, c *content) (*mail.SpamScore, error) {
	all, err := s.learnedIn(ctx, pod)
	if err != nil || !all.Taught() {
		return nil, err
	}
	tokens, err := spamTokens(e, s.open(ctx, c))
	if err != nil {
		return nil, err
	}
	learned := map[int64]spam.Count{}
	err = s.store.For(mail.Scope{Pod: pod}).Read(ctx, func(tx storage.Tx) error {
		found, err := tx.FindTokens(slices.Collect(maps.Keys(tokens)))
		for _, t := range found {
			learned[t.Token] = spam.Count{Spam: t.Spam, Ham: t.Ham}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	score := spam.Judge(tokens, learned, all)
	return &score, nil
}

// whySpam tells people which words decided.
func whySpam(s *mail.SpamScore) string {
	var words []string
	for _, w := range s.Words {
		if w.Spam > 0.5 {
			words = append(words, w.Word)
		}
	}
	return fmt.Sprintf("The pod's spam filter gives it %.3f of 1, for %s.", s.Score, strings.Join(words, ", "))
}

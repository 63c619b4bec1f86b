package mail

import (
	"slices"
	"strings"
)

// FolderLabel is the label of a mailbox that the user made: its name in lower case, kept apart from the labels that
// have a meaning of their own.
func FolderLabel(name string) string {
	label := strings.ToLower(name)
	if SystemLabel(label) || slices.Contains(foldersOnly, label) || label == LabelUnread || label == LabelDeleted || label == LabelAutomatic ||
		label == LabelStarred || label == LabelReplied || label == LabelForwarded {
		return "folder/" + label
	}
	return label
}

// Place finds the mailbox where a message with these labels belongs. The strongest label wins: trash, then spam and
// what intake set aside, then a folder of the user's, archive, drafts, and last where it came from. A message stays
// where it is while its mailbox is as strong as any other.
func Place(labels []string, current int64, mailboxes []Mailbox) Mailbox {
	var best Mailbox
	bestRank := -1
	for _, mb := range mailboxes {
		rank := placeRank(mb, labels)
		if rank > bestRank || (rank == bestRank && mb.ID == current) {
			best, bestRank = mb, rank
		}
	}
	return best
}

func placeRank(mb Mailbox, labels []string) int {
	has := func(l string) bool { return slices.Contains(labels, l) }
	switch mb.Role {
	case RoleTrash:
		return rankIf(has(LabelTrash), 7)
	case RoleSpam:
		return rankIf(has(LabelSpam) || has(LabelBlocked) || has(LabelUnauthenticated), 6)
	case RoleArchive:
		return rankIf(has(LabelArchive), 4)
	case RoleDrafts:
		return rankIf(has(LabelDraft), 3)
	case RoleSent:
		return rankIf(has(LabelSent) && !has(LabelReceived), 2)
	case RoleInbox:
		return 1
	default:
		return rankIf(has(mb.Label), 5)
	}
}

func rankIf(ok bool, rank int) int {
	if ok {
		return rank
	}
	return -1
}

// MoveLabels are the label changes that moving from one mailbox to another of an inbox means, as IMAP's MOVE and COPY do
// it, so that Place agrees with the user afterwards: the labels of stronger mailboxes go, and where it came from follows
// from where it is put. In Trash and Spam a message keeps what says that it was in a folder elsewhere.
func MoveLabels(labels []string, from, to Mailbox, mailboxes []Mailbox) (add, remove []string) {
	aside := to.Role == RoleTrash || to.Role == RoleSpam
	folder := func(l string) bool {
		return slices.ContainsFunc(mailboxes, func(mb Mailbox) bool { return mb.Role == "" && mb.Label == l })
	}
	for _, l := range labels {
		if l == to.Label {
			continue
		}
		switch {
		case l == LabelTrash, l == LabelSpam, l == LabelBlocked, l == LabelUnauthenticated, l == LabelArchive, l == LabelDraft:
			remove = append(remove, l)
		case l == from.Label && from.Role == "", !aside && folder(l):
			remove = append(remove, l)
		case to.Role == RoleSent && l == LabelReceived:
			remove = append(remove, l)
		}
	}
	if !slices.Contains(labels, to.Label) {
		add = append(add, to.Label)
	}
	return add, remove
}

package storage

type Store struct{}
